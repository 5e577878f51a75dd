//! A call, or an exchange of texts, with the table in Twilio's place: each document is carried out as Twilio would do
//! it, and the request that follows from it comes next. The steps of a `[[test]]`, `call` and the admin listener's page
//! use it.
//!
//! Source: the pages of the verbs, <https://www.twilio.com/docs/voice/twiml>.

mod document;

use std::collections::VecDeque;
use std::mem;

use jiff::Timestamp;

use self::document::{Element, of_follow_ups, verbs};
use crate::table::Table;
use crate::table::answer::{Answer, AnswerKind, Asked, answer};
use crate::table::guard::LoopGuard;
use crate::twilio::channel::Channel;
use crate::twilio::parameters::{self, ParameterKind};
use crate::twilio::request::{Form, Request, Webhook, sample};

pub use self::document::{Input, Line, Question};

const CALL_STATUS: &str = "CallStatus";

/// The element that keeps a call waiting.
const ENQUEUE: &str = "Enqueue";

/// The most requests that Twilio makes by itself, one after the other, before the conversation is given up: Redirects that
/// lead in a circle, where the loop guard is switched off.
const MOST_IN_A_ROW: usize = 50;

/// The URL of the table when no request comes from outside.
pub const ORIGIN: &str = "https://self.invalid";

/// A request as it is sent to the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The webhook that is asked.
    pub webhook: Webhook,
    /// The fields of the body.
    pub body: Form,
    /// The fields of the query.
    pub query: Form,
}

/// A request that Twilio makes because of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FollowUp {
    /// The whole URL.
    url: String,
    /// Its fields beyond those of every request of the call.
    fields: Form,
    /// Whether the call waits in a queue meanwhile.
    is_wait: bool,
}

/// What happens next in a conversation.
#[derive(Debug)]
enum Event {
    /// Something to hear or to read.
    Line(Line),
    /// The call waits for the person to act.
    Asks(Question),
    /// Twilio requests another document by itself.
    Leads(FollowUp),
    /// The document is finished.
    Ends,
}

/// A conversation between a person on the telephone and a table.
#[derive(Debug)]
pub struct Conversation<'t> {
    table: &'t Table,
    guard: LoopGuard,
    now: Timestamp,
    first: Sent,
    /// The request that was last answered.
    last: Sent,
    /// How many texts have been sent.
    texts: usize,
    /// The elements of the last document that are still to come.
    rest: VecDeque<Element>,
    /// The queue in which the call waits, and the elements after it.
    queue: Option<(Question, VecDeque<Element>)>,
}

/// A person on the telephone, or something that acts as one.
pub trait Person {
    /// Learns which answer a request of the conversation got.
    fn is_answered(&mut self, sent: &Sent, answer: &Answer<'_>);

    /// Notices a line of the conversation.
    fn notices(&mut self, line: Line);

    /// Acts where the call waits; `None` to hang up.
    fn acts(&mut self, question: &Question) -> Option<Input>;

    /// Sends the next text; `None` when there is none.
    fn texts(&mut self) -> Option<Form>;
}

/// How a conversation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Nothing more follows.
    Over,
    /// The person has hung up, or sends no more texts.
    HungUp,
    /// It leads to this URL, which does not belong to the table.
    Elsewhere(String),
    /// The documents lead in a circle.
    Circle,
}

/// Why a request cannot come next in a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stuck {
    /// Nothing in the documents waits for this field; `None` when nothing leads on at all.
    NothingWaits(Option<String>),
    /// This element comes first and leads elsewhere.
    Before(&'static str),
    /// The document leads to this URL, which does not belong to the table.
    Elsewhere(String),
}

impl Sent {
    /// The requested URL, without its query.
    fn page(&self) -> String {
        format!("{ORIGIN}/{}", self.webhook.as_str())
    }

    /// The requested URL.
    fn url(&self) -> String {
        let pairs: Vec<_> = self.query.pairs().collect();
        let query = serde_urlencoded::to_string(pairs).unwrap_or_default();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{}{mark}{query}", self.page())
    }
}

impl<'t> Conversation<'t> {
    /// A conversation at this moment that begins with this request, which is still to be [asked](Self::ask).
    #[must_use]
    pub fn new(table: &'t Table, first: Sent, now: Timestamp) -> Self {
        Self {
            table,
            guard: LoopGuard::new(),
            now,
            last: first.clone(),
            first,
            texts: 1,
            rest: VecDeque::new(),
            queue: None,
        }
    }

    fn channel(&self) -> Channel {
        Request::new(self.first.webhook, &self.first.body, &self.first.query).channel()
    }

    /// Answers a request of the conversation.
    pub fn ask(&mut self, sent: Sent) -> Answer<'t> {
        let answer = answer(
            self.table,
            &self.guard,
            &Asked {
                request: &Request::new(sent.webhook, &sent.body, &sent.query),
                url: &sent.page(),
                token: "",
                now: self.now,
            },
        );
        self.rest = match answer.kind {
            AnswerKind::Document => verbs(&answer.body).collect(),
            AnswerKind::Session => [Element::session(&answer.body)].into(),
        };
        self.last = sent;
        answer
    }

    /// What happens next.
    fn next_event(&mut self) -> Event {
        let Some(element) = self.rest.pop_front() else {
            return match &self.queue {
                Some((question, _)) => Event::Asks(question.clone()),
                None => Event::Ends,
            };
        };
        let page = self.last.url();
        if element.tag() == "Redirect" {
            let url = element.text();
            let url = if url.is_empty() { &page } else { url };
            return Event::Leads(FollowUp::to(url, Form::default()));
        }
        if let Some(question) = element.question(&page) {
            return Event::Asks(question);
        }
        match element.tag() {
            "Hangup" | "Reject" => {
                self.rest.clear();
                self.queue = None;
            }
            "Leave" => {
                self.rest.clear();
                if let Some((question, _)) = self.queue.clone()
                    && let Some(follow_up) = self.answer(&question, &question.left())
                {
                    return Event::Leads(follow_up);
                }
            }
            _ => {}
        }
        Event::Line(element.line(&page))
    }

    /// What Twilio asks for when somebody has answered a question so; `None` when the call continues with the document.
    fn answer(&mut self, question: &Question, input: &Input) -> Option<FollowUp> {
        let follow_up = question.follow_up(input);
        if question.tag() == ENQUEUE {
            let waits = follow_up.as_ref().is_some_and(|next| next.is_wait);
            match (self.queue.take(), waits) {
                (Some(queue), true) => self.queue = Some(queue),
                (None, true) => self.queue = Some((question.clone(), mem::take(&mut self.rest))),
                (Some((_, after)), false) => self.rest = after,
                (None, false) => {}
            }
        }
        follow_up
    }

    /// The request that Twilio makes for this follow-up.
    ///
    /// # Errors
    ///
    /// The URL, when it does not lead to the table.
    fn request(&self, follow_up: &FollowUp) -> Result<Sent, String> {
        let elsewhere = || follow_up.url.clone();
        let rest = follow_up.url.strip_prefix(ORIGIN).ok_or_else(elsewhere)?;
        let rest = rest.split('#').next().unwrap_or_default();
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let path = path.strip_suffix('/').unwrap_or(path);
        let webhook = path.strip_prefix('/').and_then(Webhook::from_name);
        let webhook = webhook.filter(|webhook| webhook.wants_document());
        Ok(Sent {
            webhook: webhook.ok_or_else(elsewhere)?,
            body: match self.channel() {
                Channel::Voice => self.of_the_same_call(&follow_up.fields),
                Channel::Message => self.last.body.clone(),
            },
            query: Form::parse(query.as_bytes()),
        })
    }

    /// These fields, and those of every request of the call.
    fn of_the_same_call(&self, fields: &Form) -> Form {
        let is_kept = |name: &str| {
            let webhooks = &parameters::get(name).webhooks;
            let mut kinds = ["voice", "gather-action"].iter();
            name != CALL_STATUS && kinds.all(|kind| webhooks.contains(kind))
        };
        let kept = self.first.body.pairs().filter(|(name, _)| is_kept(name));
        let kept = kept.chain([(CALL_STATUS, "in-progress")]);
        let kept = kept.filter(|(name, _)| fields.first(name).is_none());
        kept.chain(fields.pairs()).collect()
    }

    /// The next text from the same sender, with these fields.
    fn text(&mut self, fields: &Form) -> Sent {
        self.texts += 1;
        let sid = format!("SM{:032}", self.texts);
        let own = ["MessageSid", "SmsSid", "SmsMessageSid"].map(|name| (name, sid.as_str()));
        // The content of the first text is not repeated.
        let is_kept = |name: &str| {
            let of = parameters::get(name);
            let is_content = of.webhooks.contains(&"message") && !of.webhooks.contains(&"voice");
            let names_somebody = [
                ParameterKind::Sid,
                ParameterKind::Number,
                ParameterKind::Address,
            ];
            !is_content || names_somebody.contains(&of.kind)
        };
        let is_given = |name: &str| fields.first(name).is_some();
        let is_own = |name: &str| own.iter().any(|(own, _)| *own == name);
        let kept = self.first.body.pairs();
        let kept = kept.filter(|(name, _)| is_kept(name) && !is_own(name) && !is_given(name));
        let own = own.into_iter().filter(|(name, _)| !is_given(name));
        let body = kept.chain(own).chain(fields.pairs()).collect();
        Sent {
            webhook: self.first.webhook,
            body: sample::filled(&body, Channel::Message, self.first.webhook),
            query: self.first.query.clone(),
        }
    }

    /// Carries the whole conversation on with a person, and returns how it ended.
    pub fn with(&mut self, person: &mut dyn Person) -> End {
        let mut sent = self.first.clone();
        let mut in_a_row = 0;
        loop {
            let answer = self.ask(sent.clone());
            person.is_answered(&sent, &answer);
            in_a_row += 1;
            let next = loop {
                match self.next_event() {
                    Event::Line(line) => person.notices(line),
                    Event::Leads(follow_up) => break self.request(&follow_up),
                    Event::Asks(question) => {
                        person.notices(question.line());
                        let Some(input) = person.acts(&question) else {
                            return End::HungUp;
                        };
                        in_a_row = 0;
                        if let Some(follow_up) = self.answer(&question, &input) {
                            break self.request(&follow_up);
                        }
                    }
                    Event::Ends if self.channel() == Channel::Voice => return End::Over,
                    Event::Ends => match person.texts() {
                        Some(fields) => {
                            in_a_row = 0;
                            break Ok(self.text(&fields));
                        }
                        None => return End::HungUp,
                    },
                }
            };
            sent = match next {
                Ok(_) if in_a_row >= MOST_IN_A_ROW => return End::Circle,
                Ok(sent) => sent,
                Err(url) => return End::Elsewhere(url),
            };
        }
    }

    /// The next request of the conversation, provided it has these fields: the person has pressed the `Digits`, or
    /// sends the `Body`. Everything before it in the document passes without an action.
    ///
    /// # Errors
    ///
    /// The document leads nowhere with these fields, or somewhere else first.
    pub fn follow(&mut self, fields: &Form) -> Result<Sent, Stuck> {
        let is_call = self.channel() == Channel::Voice;
        let told = of_follow_ups(fields).next().map(str::to_owned);
        let somebody_acts = told.is_some() || !is_call && fields.pairs().len() > 0;
        loop {
            match self.next_event() {
                Event::Line(_) => {}
                Event::Leads(_) if somebody_acts => return Err(Stuck::Before("Redirect")),
                Event::Leads(mut follow_up) => {
                    let own = follow_up.fields.pairs();
                    follow_up.fields = own.chain(fields.pairs()).collect();
                    return self.request(&follow_up).map_err(Stuck::Elsewhere);
                }
                Event::Asks(question) => {
                    let input = if question.is_told(fields) {
                        Input::Fields(fields.clone())
                    } else if question.may_pass() {
                        Input::Nothing
                    } else {
                        return Err(Stuck::Before(question.tag()));
                    };
                    if let Some(follow_up) = self.answer(&question, &input) {
                        return self.request(&follow_up).map_err(Stuck::Elsewhere);
                    }
                }
                Event::Ends if somebody_acts && !is_call => return Ok(self.text(fields)),
                Event::Ends => return Err(Stuck::NothingWaits(told)),
            }
        }
    }
}

impl FollowUp {
    fn to(url: impl Into<String>, fields: Form) -> Self {
        Self {
            url: url.into(),
            fields,
            is_wait: false,
        }
    }
}

/// A URL as an operator would write it in the table, seen from a document at `page`.
fn shown_url<'u>(url: &'u str, page: &str) -> &'u str {
    let page = page.split('?').next().unwrap_or_default();
    let step = url.strip_prefix(page).filter(|rest| rest.starts_with('?'));
    step.or_else(|| url.strip_prefix(ORIGIN)).unwrap_or(url)
}

/// Anything special about an answer, one sentence each: why the loop guard or the default answers, and whether a text
/// was cut.
#[must_use]
pub fn notes(answer: &Answer<'_>) -> Vec<String> {
    let guarded = answer.guarded.map(|reason| reason.to_string());
    let failure = answer.failure.as_ref();
    let failed =
        failure.map(|(route, error)| format!("the reply of {route} cannot be written: {error}"));
    let cut = (answer.cut_texts > 0).then(|| "a text is cut at Twilio's limit".to_owned());
    guarded.into_iter().chain(failed).chain(cut).collect()
}

/// The words of a script, separated by spaces; one with spaces is in double quotes.
#[must_use]
pub fn script(text: &str) -> VecDeque<String> {
    let mut words = VecDeque::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (word, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        words.push_back(word.to_owned());
        rest = after.trim_start();
    }
    words
}
