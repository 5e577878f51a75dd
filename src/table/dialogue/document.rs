//! Reads a document back: what people notice of each element, and where a call has to wait for the person.

use std::collections::BTreeMap;
use std::mem;

use roxmltree::Node;
use serde_json::Value as Json;

use crate::table::reply::EMPTY_DOCUMENT;
use crate::twilio::parameters;
use crate::twilio::request::Form;

use super::{FollowUp, ORIGIN, shown_url};

/// What people notice of one element: `says`, the text, and by which voice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What happens, as a verb: `says`, `dials`, `waits`.
    pub act: String,
    /// What is said, who is dialled, what is waited for; empty where the verb says it all.
    pub text: String,
    /// The voice, the time, the caller ID, and where it leads, in display order.
    pub details: Vec<String>,
}

/// A place where a call stops until the person has acted.
#[derive(Debug, Clone)]
pub struct Question {
    element: Element,
    /// The URL of the document that contains it.
    page: String,
    asking: &'static Asking,
}

/// What the person did where a call waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Nothing, until the time was up.
    Nothing,
    /// Something, which Twilio reports in these fields.
    Fields(Form),
}

/// An element that makes Twilio request another document afterwards.
#[derive(Debug)]
struct Asking {
    tag: &'static str,
    /// The parameter that says how it went.
    outcome: &'static str,
    /// The outcome by default; empty when no field gives the outcome.
    usual: &'static str,
}

const ASKING: [Asking; 7] = [
    asking("Gather", "Digits", ""),
    asking("Record", "RecordingDuration", "5"),
    asking("Dial", "DialCallStatus", "completed"),
    asking("Enqueue", "QueueResult", "bridged"),
    asking("Refer", "ReferCallStatus", "completed"),
    asking("Pay", "Result", "success"),
    asking("Connect", "SessionStatus", ""),
];

/// What replaces an element when Proxy opens a session.
const SESSION: &str = "create_session";

/// A recording where Twilio keeps them, <https://www.twilio.com/docs/voice/twiml/record#attributes-action-parameters>.
const RECORDING: &str = "https://api.twilio.com/2010-04-01/Accounts/AC00000000000000000000000000000001/Recordings/RE00000000000000000000000000000001";

const fn asking(tag: &'static str, outcome: &'static str, usual: &'static str) -> Asking {
    Asking {
        tag,
        outcome,
        usual,
    }
}

/// The fields that occur only in a follow-up request of a call: `Digits`, but not `Caller`.
pub(super) fn of_follow_ups(fields: &Form) -> impl Iterator<Item = &str> {
    let filled = fields.pairs().filter(|(_, value)| !value.is_empty());
    filled
        .map(|(name, _)| name)
        .filter(|name| parameters::follow_ups_with(name).is_some())
}

/// One element of a document.
#[derive(Debug, Clone)]
pub(super) struct Element {
    tag: String,
    attributes: Vec<(String, String)>,
    /// All of its text, with runs of blanks reduced to one.
    text: String,
    children: Vec<Self>,
}

/// The verbs of a document that we have written, in the order in which people notice them: the contents of a Gather are
/// heard before it waits.
pub(super) fn verbs(document: &[u8]) -> impl Iterator<Item = Element> {
    let text = str::from_utf8(document).unwrap_or(EMPTY_DOCUMENT);
    let document = roxmltree::Document::parse(text).ok();
    let verbs = document.map(|document| Element::read(document.root_element()).children);
    verbs.into_iter().flatten().flat_map(|mut verb| {
        let is_prompted = verb.tag == "Gather";
        let prompt = is_prompted.then(|| mem::take(&mut verb.children));
        prompt.into_iter().flatten().chain([verb])
    })
}

impl Element {
    fn read(node: Node<'_, '_>) -> Self {
        let attributes = node.attributes();
        let texts = node
            .descendants()
            .filter_map(|node| node.text().filter(|_| node.is_text()));
        let text = texts.collect::<Vec<_>>().join(" ");
        Self {
            tag: node.tag_name().name().to_owned(),
            attributes: attributes
                .map(|one| (one.name().to_owned(), one.value().to_owned()))
                .collect(),
            text: text.split_whitespace().collect::<Vec<_>>().join(" "),
            children: node
                .children()
                .filter(Node::is_element)
                .map(Self::read)
                .collect(),
        }
    }

    /// The element for the JSON with which Proxy opens a session.
    pub(super) fn session(json: &[u8]) -> Self {
        let fields: BTreeMap<String, Json> = serde_json::from_slice(json).unwrap_or_default();
        let attributes = fields.into_iter().map(|(name, value)| match value {
            Json::String(text) => (name, text),
            other => (name, other.to_string()),
        });
        Self {
            tag: SESSION.to_owned(),
            attributes: attributes.collect(),
            text: String::new(),
            children: Vec::new(),
        }
    }

    pub(super) fn tag(&self) -> &str {
        &self.tag
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    fn attribute(&self, name: &str) -> Option<&str> {
        let mut all = self.attributes.iter();
        all.find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }

    fn is(&self, name: &str) -> bool {
        self.attribute(name) == Some("true")
    }

    /// The values of these attributes, without those that are not set.
    fn details<const N: usize>(&self, names: [&str; N]) -> Vec<String> {
        let all = names.into_iter().filter_map(|name| self.attribute(name));
        all.map(str::to_owned).collect()
    }

    /// How often a Say or a Play is repeated, if it is.
    fn times(&self) -> Option<String> {
        match self.attribute("loop")? {
            "1" => None,
            "0" => Some("until somebody hangs up".to_owned()),
            times => Some(format!("{times} times")),
        }
    }

    /// All attributes and children, for an element that has no words of its own.
    fn all(&self) -> Vec<String> {
        let attributes = self.attributes.iter();
        let attributes = attributes.map(|(name, value)| format!("{name}={value}"));
        let children = self.children.iter().map(|child| {
            let all = child.all().into_iter();
            let parts = [child.tag.clone()].into_iter().chain(all);
            parts.collect::<Vec<_>>().join(" ")
        });
        attributes.chain(children).collect()
    }

    /// The question at which the call stops here, if any; `page` is the URL of the document.
    pub(super) fn question(&self, page: &str) -> Option<Question> {
        let asking = ASKING.iter().find(|asking| asking.tag == self.tag)?;
        Some(Question {
            element: self.clone(),
            page: page.to_owned(),
            asking,
        })
    }

    /// What people notice of it.
    pub(super) fn line(&self, page: &str) -> Line {
        let line = |act: &str, text: &str, details: Vec<String>| Line {
            act: act.to_owned(),
            text: text.to_owned(),
            details,
        };
        let mut line = match self.tag.as_str() {
            "Say" => {
                let voice = self.details(["voice", "language"]).into_iter();
                line("says", &self.text, voice.chain(self.times()).collect())
            }
            "Play" => match self.attribute("digits") {
                Some(keys) => line("plays", &format!("the keys {keys}"), Vec::new()),
                None => line("plays", &self.text, self.times().into_iter().collect()),
            },
            "Pause" => {
                let length = self.attribute("length").unwrap_or("1");
                line("pauses", &format!("{length} s"), Vec::new())
            }
            "Message" | "Sms" => self.message(),
            "Gather" => self.gather(),
            "Record" => self.record(),
            "Dial" => self.dial(page),
            "Enqueue" => {
                let wait = self.attribute("waitUrl").filter(|url| !url.is_empty());
                let hears = wait.map(|url| format!("hears {}", shown_url(url, page)));
                let name = format!("in queue {}", self.text);
                line("waits", name.trim(), hears.into_iter().collect())
            }
            "Redirect" => line(
                "continues",
                &format!("at {}", shown_url(&self.text, page)),
                Vec::new(),
            ),
            "Hangup" => line("hangs up", "", Vec::new()),
            "Reject" => line("rejects", "the call", self.details(["reason"])),
            SESSION => line("opens", "a session", self.all()),
            "Leave" => line("leaves", "the queue", Vec::new()),
            other => line(other, &self.text, self.all()),
        };
        if let Some(action) = self.attribute("action")
            && self.question(page).is_some()
        {
            line.details.push(format!("→ {}", shown_url(action, page)));
        }
        line
    }

    fn message(&self) -> Line {
        let part = |tag: &'static str| {
            let all = self.children.iter().filter(move |child| child.tag == tag);
            all.map(|child| child.text.clone())
        };
        let bodies = part("Body").collect::<Vec<_>>().join(" ");
        let media = part("Media").map(|url| format!("with {url}"));
        let names = ["to", "from"].into_iter();
        let names = names.filter_map(|name| Some(format!("{name} {}", self.attribute(name)?)));
        let is_plain = self.children.is_empty();
        Line {
            act: "texts".to_owned(),
            text: if is_plain { self.text.clone() } else { bodies },
            details: media.chain(names).collect(),
        }
    }

    fn gather(&self) -> Line {
        let keys = match self.attribute("numDigits") {
            Some("1") => "a key".to_owned(),
            Some(count) => format!("{count} keys"),
            None => match self.attribute("finishOnKey") {
                Some("") => "keys".to_owned(),
                finish => format!("keys and {}", finish.unwrap_or("#")),
            },
        };
        let (takes_keys, takes_words) = self.takes();
        let what = match (takes_keys, takes_words) {
            (true, true) => format!("{keys}, or words"),
            (false, true) => "words".to_owned(),
            _ => keys,
        };
        let timeout = self.attribute("timeout").unwrap_or("5");
        Line {
            act: "waits".to_owned(),
            text: format!("for {what}"),
            details: vec![format!("{timeout} s")],
        }
    }

    /// Whether a Gather takes keys, and whether it takes speech.
    fn takes(&self) -> (bool, bool) {
        let input = self.attribute("input").unwrap_or("dtmf");
        let has = |word| input.split_whitespace().any(|one| one == word);
        (has("dtmf"), has("speech"))
    }

    fn record(&self) -> Line {
        let silence = match self.attribute("timeout").unwrap_or("5") {
            "0" => "until a key is pressed".to_owned(),
            seconds => format!("until {seconds} s of silence or a key"),
        };
        let most = self.attribute("maxLength");
        let most = most.map(|seconds| format!("at most {seconds} s"));
        let written = self.is("transcribe").then(|| "transcribed".to_owned());
        Line {
            act: "records".to_owned(),
            text: silence,
            details: most.into_iter().chain(written).collect(),
        }
    }

    fn dial(&self, page: &str) -> Line {
        let whom = self.children.iter().map(|noun| {
            let main = ["Identity", "Uri", "ApplicationSid"];
            let mut children = noun.children.iter();
            let main = children.find(|child| main.contains(&child.tag.as_str()));
            let text = &main.unwrap_or(noun).text;
            match noun.tag.as_str() {
                "Number" | "Sip" | "WhatsApp" => text.clone(),
                "Queue" => format!("the next in queue {text}"),
                other => format!("{} {text}", other.to_lowercase()),
            }
        });
        let whom: Vec<String> = whom.collect();
        let text = match (whom.as_slice(), self.is("sequential")) {
            ([], _) => self.text.clone(),
            (whom, true) => whom.join(", then "),
            (whom, false) => whom.join(", "),
        };
        let caller = self.attribute("callerId");
        let caller = caller.map_or("with the caller's own number".to_owned(), |number| {
            format!("callerId {number}")
        });
        let timeout = self.attribute("timeout").unwrap_or("30");
        let record = self.attribute("record");
        let is_recorded = record.is_some_and(|how| !["do-not-record", "false"].contains(&how));
        let mut details = vec![caller, format!("{timeout} s")];
        details.extend(is_recorded.then(|| "recorded".to_owned()));
        let urls = self
            .children
            .iter()
            .filter_map(|noun| noun.attribute("url"));
        details.extend(urls.map(|url| format!("first hears {}", shown_url(url, page))));
        Line {
            act: "dials".to_owned(),
            text,
            details,
        }
    }
}

impl Question {
    /// What people notice of it.
    #[must_use]
    pub fn line(&self) -> Line {
        self.element.line(&self.page)
    }

    /// The element at which the call waits.
    #[must_use]
    pub fn tag(&self) -> &'static str {
        self.asking.tag
    }

    /// The possible answers, as a hint for people.
    #[must_use]
    pub fn choices(&self) -> String {
        let takes = self.element.takes();
        let what = match self.asking.tag {
            "Gather" => match takes {
                (true, true) => "keys, or words",
                (false, true) => "words",
                _ => "keys",
            },
            "Record" => "words, a key, or hangup",
            _ => return self.outcomes().join(", "),
        };
        what.to_owned()
    }

    /// The possible outcomes.
    fn outcomes(&self) -> &'static [&'static str] {
        &parameters::get(self.asking.outcome).values
    }

    /// What the person did, from typed text: keys, words, or the outcome of a Dial. Nothing, or `w`, waits until the
    /// time is up.
    ///
    /// # Errors
    ///
    /// It is not possible here: what could be typed instead.
    pub fn input(&self, typed: &str) -> Result<Input, String> {
        let fields = |pairs: &[(&str, &str)]| Ok(Input::Fields(pairs.iter().copied().collect()));
        let typed = typed.trim();
        if typed.is_empty() || typed == "w" {
            return match self.asking.tag {
                "Dial" => fields(&[(self.asking.outcome, "no-answer")]),
                _ => Ok(Input::Nothing),
            };
        }
        let is_keys = typed.chars().all(|key| "0123456789*#".contains(key));
        match self.asking.tag {
            "Gather" => match self.element.takes() {
                (true, _) if is_keys => {
                    let digits = self.pressed(typed);
                    if digits.is_empty() {
                        // The first key was the one that ends the input.
                        return Ok(Input::Nothing);
                    }
                    fields(&[("Digits", digits)])
                }
                (_, true) => fields(&[("SpeechResult", typed)]),
                _ => Err("press keys: 0-9 * #".to_owned()),
            },
            "Record" => match typed {
                "hangup" => fields(&[("Digits", typed)]),
                _ if is_keys => fields(&[("Digits", &typed[..1])]),
                _ => fields(&[]),
            },
            _ => {
                let outcomes = self.outcomes();
                let mut fitting = outcomes.iter().filter(|word| word.starts_with(typed));
                match (fitting.next(), fitting.next()) {
                    (Some(word), None) => fields(&[(self.asking.outcome, word)]),
                    _ if outcomes.contains(&typed) => fields(&[(self.asking.outcome, typed)]),
                    _ => Err(format!("write one of {}", outcomes.join(", "))),
                }
            }
        }
    }

    /// The digits that a Gather takes from these keys: up to its number of digits, or to the key that ends the input.
    fn pressed<'k>(&self, keys: &'k str) -> &'k str {
        let finish = self.element.attribute("finishOnKey").unwrap_or("#");
        let end = finish.chars().next().and_then(|finish| keys.find(finish));
        let keys = &keys[..end.unwrap_or(keys.len())];
        let most = self.element.attribute("numDigits");
        let most = most
            .and_then(|most| most.parse().ok())
            .unwrap_or(keys.len());
        &keys[..most.min(keys.len())]
    }

    /// Whether Twilio requests something after this input, rather than continue with the document.
    #[must_use]
    pub fn leads_on(&self, input: &Input) -> bool {
        self.follow_up(input).is_some()
    }

    /// Whether these fields can answer this question.
    pub(super) fn is_told(&self, fields: &Form) -> bool {
        of_follow_ups(fields).all(|name| self.is_of("action", name) || self.is_of("waitUrl", name))
    }

    /// Whether the requests to which an attribute leads have this field.
    fn is_of(&self, attribute: &str, name: &str) -> bool {
        let webhooks = &parameters::get(name).webhooks;
        let mut kinds = parameters::follow_ups_of(self.asking.tag, Some(attribute));
        kinds.any(|kind| webhooks.contains(&kind))
    }

    /// Whether the call continues without a request if there is no input.
    pub(super) fn may_pass(&self) -> bool {
        self.asking.tag == "Gather" || self.action().is_none() && self.wait_url().is_none()
    }

    /// The URL that is requested afterwards.
    fn action(&self) -> Option<String> {
        let action = self.element.attribute("action").map(str::to_owned);
        // Without an `action` these request the same document again.
        let asks_again = matches!(self.asking.tag, "Gather" | "Record");
        action.or_else(|| asks_again.then(|| self.page.clone()))
    }

    fn wait_url(&self) -> Option<&str> {
        let url = self.element.attribute("waitUrl");
        url.filter(|url| self.asking.tag == "Enqueue" && url.starts_with(ORIGIN))
    }

    /// What Twilio requests after this input; `None` when the call continues with the next element.
    pub(super) fn follow_up(&self, input: &Input) -> Option<FollowUp> {
        let empty = Form::default();
        let fields = match input {
            Input::Fields(fields) => fields,
            Input::Nothing => &empty,
        };
        let to_action = |fields| {
            let url = self.action()?;
            Some(FollowUp::to(url, fields))
        };
        let told = || of_follow_ups(fields);
        let outcome = self.asking.outcome;
        match self.asking.tag {
            "Gather" => {
                let is_answered = told().next().is_some();
                let asks = is_answered || self.element.is("actionOnEmptyResult");
                asks.then(|| to_action(fields.clone())).flatten()
            }
            "Record" if *input == Input::Nothing => None,
            "Record" => to_action(with(
                fields,
                &[("RecordingUrl", RECORDING), (outcome, self.asking.usual)],
            )),
            "Enqueue"
                if told().all(|name| self.is_of("waitUrl", name)) && self.wait_url().is_some() =>
            {
                let place = [
                    ("QueuePosition", "1"),
                    ("CurrentQueueSize", "1"),
                    ("QueueTime", "0"),
                ];
                let wait = FollowUp::to(self.wait_url()?, with(fields, &place));
                Some(FollowUp {
                    is_wait: true,
                    ..wait
                })
            }
            _ if self.asking.usual.is_empty() => to_action(fields.clone()),
            _ => to_action(with(fields, &[(outcome, self.asking.usual)])),
        }
    }

    /// A Leave in the document of a queue.
    pub(super) fn left(&self) -> Input {
        Input::Fields([(self.asking.outcome, "leave")].into_iter().collect())
    }
}

/// The fields, completed with these where they are missing.
fn with(fields: &Form, others: &[(&str, &str)]) -> Form {
    let missing = others.iter().copied();
    let missing = missing.filter(|(name, _)| fields.first(name).is_none());
    fields.pairs().chain(missing).collect()
}
