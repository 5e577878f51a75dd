//! The parameters that Twilio's webhooks send: how each is spelt, what it holds, and how private it is.
//!
//! The facts are data, in `parameters.json`; a line there adds a parameter. Sources: the pages of Proxy, Voice,
//! Messaging and each TwiML verb of <https://www.twilio.com/docs>; the page "Voice Webhooks" of Fone Dynamics. Twilio
//! adds parameters without notice, so an unknown name is only suspicious.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::twilio::channel::Channel;
use crate::twilio::spelling::nearest;
use crate::twilio::vocabulary::DOCS;

/// All known parameters.
pub(crate) static PARAMETERS: LazyLock<Parameters> =
    LazyLock::new(|| Parameters::read(include_str!("parameters.json")));

/// A list of parameters, by name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    /// The kinds of requests that carry parameters, by the names used in [`Parameter::webhooks`].
    #[serde(borrow)]
    webhooks: BTreeMap<&'static str, RequestKind>,
    /// The parameters that a table may use.
    #[serde(borrow)]
    twilio: BTreeMap<&'static str, Parameter>,
    /// Names with a variable part: `MediaUrl#` stands for `MediaUrl0`, `SipHeader_*` for any name with that beginning.
    families: BTreeMap<&'static str, Parameter>,
    /// Parameters that a table cannot use but journal lines and sample requests have: our own `step` and what Fone
    /// Dynamics sends.
    others: BTreeMap<&'static str, Parameter>,
    /// The values in the data of an Event Streams event, for [`Parameters::of_event`].
    events: BTreeMap<&'static str, Parameter>,
    /// Part of the data of an event that ends a call.
    ///
    /// Source: <https://www.twilio.com/docs/voice/voice-insights/api/call/details-call-summary>.
    pub(crate) call_summary: BTreeMap<&'static str, &'static str>,
}

/// A kind of request.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RequestKind {
    /// `voice` or `message`; `None` for a request about neither a call nor a text.
    #[serde(borrow)]
    channel: Option<&'static str>,
    /// Whether a call or a text begins with it. Every later request may carry the parameters of such a request, too.
    begins: bool,
    /// Whether it is repeated for as long as a call waits.
    waits: bool,
    /// The elements that lead to it, each with the attribute that holds the URL: `Gather action`.
    #[serde(borrow)]
    after: Vec<&'static str>,
    /// Twilio's page about it, below `https://www.twilio.com/docs/`.
    page: &'static str,
}

/// What is known of one parameter. The default knows nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Parameter {
    pub(crate) kind: ParameterKind,
    /// The values of an enumerated parameter; empty where Twilio does not list them.
    #[serde(borrow)]
    pub(crate) values: Vec<&'static str>,
    /// Whether the list of values is maintained elsewhere and grows, so that an unlisted value is not suspicious.
    pub(crate) open: bool,
    /// The two letters with which a SID may begin.
    #[serde(borrow)]
    pub(crate) prefixes: Vec<&'static str>,
    /// The kinds of requests that carry it.
    #[serde(borrow)]
    pub(crate) webhooks: Vec<&'static str>,
    /// Whether it describes a Proxy session: Twilio's follow-up requests do not carry it.
    pub(crate) session: bool,
    /// Whether it is the other party's real number or name, which must not be spoken, sent or shown by accident.
    pub(crate) private: bool,
    /// What the journal may keep of it.
    pub(crate) privacy: Privacy,
    /// When a number is our own.
    pub(crate) own: Option<OwnWhen>,
    /// The parameter that has the same value and replaces this one when absent.
    pub(crate) alias: Option<&'static str>,
    /// How a table compares it.
    pub(crate) comparison: Comparison,
    /// Whether it is the URL of a recording or a picture that Twilio has of the caller or sender, and that a reply may pass on.
    pub(crate) relayed: bool,
    /// Its value in a complete sample request; `None` when such a request does without it.
    pub(crate) sample: Option<SampleValue>,
    /// Whether no request of its webhooks is without it.
    pub(crate) always: bool,
    /// Whether a name like it in another letter case is likelier a query field of the operator's own than a mistake, so that the
    /// wrong letter case, of the name or of a value, is not an error.
    pub(crate) lenient: bool,
}

/// What a parameter's value looks like.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ParameterKind {
    /// A phone number, or an address such as `sip:` or `client:`.
    Number,
    /// A party's number or address in another form, such as `WaId`, a number without `+`.
    Address,
    /// Two letters and 32 hexadecimal digits.
    Sid,
    /// A word from a fixed set, such as a status.
    Enumerated,
    /// Two capital letters; Fone Dynamics sends the country's name as well.
    Country,
    /// A state or province: two capital letters in the United States and Canada, free text elsewhere.
    State,
    Integer,
    Boolean,
    /// Keys on a telephone.
    Keys,
    /// The version of Twilio's API, a date.
    Version,
    DateTime,
    Url,
    /// JSON, which dotted names reach into.
    Json,
    #[default]
    Text,
}

/// How a parameter's value is compared with the one in the table.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Comparison {
    /// Exactly.
    #[default]
    Exact,
    /// For typed input: ignores letter case and surrounding blanks.
    Typed,
    /// For recognized speech: also ignores closing punctuation.
    Spoken,
}

impl Comparison {
    /// How this parameter is compared.
    pub(crate) fn of(parameter: &str) -> Self {
        // There are few of these, and every condition of every request looks here.
        static OTHERS: LazyLock<Vec<(&str, Comparison)>> = LazyLock::new(|| {
            let all = PARAMETERS.with_names();
            let all = all.map(|(name, parameter)| (name, parameter.comparison));
            all.filter(|(_, comparison)| comparison.folds()).collect()
        });
        let other = OTHERS.iter().find(|(name, _)| *name == parameter);
        other.map_or(Self::Exact, |(_, comparison)| *comparison)
    }

    /// Whether different texts may compare as equal.
    pub(crate) fn folds(self) -> bool {
        self != Self::Exact
    }

    /// A text in the form in which it is compared.
    pub(crate) fn folded(self, text: &str) -> Cow<'_, str> {
        let counts = match self {
            Self::Exact => return Cow::Borrowed(text),
            Self::Typed => text.trim(),
            Self::Spoken => text
                .trim_start()
                .trim_end_matches(|end: char| end.is_whitespace() || CLOSING.contains(end)),
        };
        Cow::Owned(counts.to_lowercase())
    }
}

/// The punctuation that speech recognition puts after words, in the scripts that it writes.
const CLOSING: &str = ".,;:!?…。，、；：！？।॥؟؛،";

/// What a line of the journal may keep of a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Privacy {
    /// The value, if it has the form of its kind.
    Keep,
    /// Its mask, unless it is our own number.
    Mask,
    /// Only that there was a value.
    #[default]
    Omit,
}

/// The requests in which a number is our own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OwnWhen {
    /// Calls and texts to us.
    Inbound,
    /// Calls and texts from us.
    Outbound,
    /// Voice Webhooks of Fone Dynamics.
    FoneDynamics,
}

/// The value of a parameter in a sample request.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum SampleValue {
    /// The same in all requests.
    Same(String),
    /// Depends on the channel, and on whether a call of Proxy's has ended.
    Differs {
        voice: String,
        message: String,
        ended: Option<String>,
    },
}

/// What is wrong with a parameter's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameProblem {
    /// Twilio's spelling of it.
    Case(&'static str),
    /// It is not in our list; the nearest name that is.
    Unknown(Option<&'static str>),
}

impl Parameters {
    /// Reads a list in the form of `parameters.json`.
    pub(crate) fn read(text: &'static str) -> Self {
        serde_json::from_str(text).expect("a test reads the whole list")
    }

    /// Twilio's parameter of this name.
    fn find(&self, name: &str) -> Option<&Parameter> {
        self.twilio.get(name).or_else(|| {
            self.families
                .iter()
                .find(|(family, _)| is_in(family, name))
                .map(|(_, parameter)| parameter)
        })
    }

    /// The parameter of this name in a request from any platform.
    pub(crate) fn of_request(&self, name: &str) -> Option<&Parameter> {
        self.find(name).or_else(|| self.others.get(name))
    }

    /// The kind of a value in an event's data, by the last part of its dotted name in any letter case.
    pub(crate) fn of_event(&self, name: &str) -> Option<&Parameter> {
        let last = name.rsplit('.').next().unwrap_or_default();
        let plain = last.replace('_', "").to_ascii_lowercase();
        self.events.get(&*plain)
    }

    /// All parameters except families, with their names.
    pub(crate) fn with_names(&self) -> impl Iterator<Item = (&'static str, &Parameter)> {
        let all = self.twilio.iter().chain(&self.others);
        all.map(|(name, parameter)| (*name, parameter))
    }

    fn names(&self) -> impl Iterator<Item = &'static str> {
        self.twilio.keys().copied()
    }

    fn check_name(&self, name: &str) -> Option<NameProblem> {
        let is_json = |first: &str| {
            let parameter = self.find(first);
            parameter.is_some_and(|parameter| parameter.kind == ParameterKind::Json)
        };
        let sent = match name.split_once('.') {
            Some((first, _)) if is_json(first) => first,
            _ => name,
        };
        if self.find(sent).is_some() {
            return None;
        }
        let in_other_case = self
            .twilio
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(sent))
            .min_by_key(|(_, parameter)| parameter.lenient);
        Some(match in_other_case {
            Some((known, parameter)) if parameter.lenient => NameProblem::Unknown(Some(known)),
            Some((known, _)) => NameProblem::Case(known),
            None => NameProblem::Unknown(nearest(name, self.names())),
        })
    }
}

/// Whether a name belongs to a family: `MediaUrl0` belongs to `MediaUrl#`.
fn is_in(family: &str, name: &str) -> bool {
    match family.strip_suffix('#') {
        Some(stem) => name.strip_prefix(stem).is_some_and(|number| {
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        }),
        None => name.starts_with(family.trim_end_matches('*')),
    }
}

/// What is known of a parameter from Twilio.
pub(crate) fn get(name: &str) -> &'static Parameter {
    static UNKNOWN: LazyLock<Parameter> = LazyLock::new(Parameter::default);
    PARAMETERS.find(name).unwrap_or(&UNKNOWN)
}

/// Whether requests of a channel may carry a parameter, under its own name or its alias. An unlisted parameter may come
/// with any request.
pub(crate) fn may_come_with(name: &str, channel: Channel) -> bool {
    let kinds = request_kinds(name);
    kinds.is_empty()
        || kinds
            .iter()
            .filter_map(|kind| PARAMETERS.webhooks.get(kind)?.channel)
            .any(|of| of == channel.as_str())
}

/// The kinds of requests that carry a parameter, when none of them begins a call or a text; otherwise `None`.
pub(crate) fn follow_ups_with(name: &str) -> Option<Vec<&'static str>> {
    let kinds = request_kinds(name);
    let begins = |kind: &&str| {
        PARAMETERS
            .webhooks
            .get(kind)
            .is_some_and(|kind| kind.begins)
    };
    (!kinds.is_empty() && !kinds.iter().any(begins)).then_some(kinds)
}

/// The kinds of requests made to the URL in an element or in its attribute; empty when unknown.
pub(crate) fn follow_ups_of(
    element: &str,
    attribute: Option<&str>,
) -> impl Iterator<Item = &'static str> {
    let place = attribute.map_or(element.to_owned(), |name| format!("{element} {name}"));
    let kinds = PARAMETERS.webhooks.iter();
    kinds.filter_map(move |(name, kind)| kind.after.contains(&&*place).then_some(*name))
}

/// Whether requests of this kind are repeated for as long as a call waits.
pub(crate) fn is_for_waiting(kind: &str) -> bool {
    PARAMETERS.webhooks.get(kind).is_some_and(|kind| kind.waits)
}

/// The kinds of requests that carry a parameter or its alias; empty when it is not in our list.
fn request_kinds(name: &str) -> Vec<&'static str> {
    let known = match name.split_once('.') {
        Some((first, _)) if is_json(first) => get(first),
        _ => get(name),
    };
    let alias = known.alias.map(|alias| &get(alias).webhooks);
    let kinds = known.webhooks.iter().chain(alias.into_iter().flatten());
    kinds.copied().collect()
}

/// The kinds of requests that carry a parameter, each with Twilio's page about it; none when it is not in our list.
pub(crate) fn carriers(name: &str) -> Vec<(&'static str, String)> {
    let kinds = request_kinds(name).into_iter();
    let page = |kind| {
        let kind = PARAMETERS.webhooks.get(kind);
        format!("{DOCS}{}", kind.map_or("", |kind| kind.page))
    };
    kinds.map(|kind| (kind, page(kind))).collect()
}

/// Checks the name of a parameter; `None` when it is in our list.
pub(crate) fn check_name(name: &str) -> Option<NameProblem> {
    PARAMETERS.check_name(name)
}

/// Another parameter whose name differs only in letter case, as `sessionStatus` does from `SessionStatus`.
pub(crate) fn in_other_case(name: &str) -> Option<&'static str> {
    all().find(|other| *other != name && other.eq_ignore_ascii_case(name))
}

/// The names of all of Twilio's parameters except families.
pub(crate) fn all() -> impl Iterator<Item = &'static str> {
    PARAMETERS.names()
}

/// Whether a parameter holds a phone number or another address.
pub(crate) fn is_number(name: &str) -> bool {
    get(name).kind == ParameterKind::Number
}

/// Whether a parameter's value is JSON, which dotted names reach into.
pub(crate) fn is_json(name: &str) -> bool {
    get(name).kind == ParameterKind::Json
}

/// Whether Proxy's intercept sends a parameter of this name, or of the name before the dot.
pub(crate) fn is_of_intercept(name: &str) -> bool {
    let name = name.split('.').next().unwrap_or_default();
    get(name).webhooks.contains(&"proxy-intercept")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A list with one parameter.
    pub(crate) const INVENTED: &str = r#"{
        "webhooks": {},
        "twilio": {
            "Invented": {"kind": "enumerated", "values": ["a", "b"], "webhooks": ["voice"], "privacy": "keep", "sample": "a"}
        },
        "families": {}, "others": {}, "events": {}, "call_summary": {}
    }"#;

    #[test]
    fn a_line_of_data_is_all_that_a_new_parameter_takes() {
        let list = Parameters::read(INVENTED);
        assert_eq!(list.check_name("Invented"), None);
        assert_eq!(
            list.check_name("invented"),
            Some(NameProblem::Case("Invented"))
        );
        assert_eq!(
            list.check_name("Inventd"),
            Some(NameProblem::Unknown(Some("Invented")))
        );
        assert_eq!(check_name("Invented"), Some(NameProblem::Unknown(None)));
        assert_eq!(list.names().collect::<Vec<_>>(), ["Invented"]);
    }

    #[test]
    fn names_are_known_in_their_own_letter_case_only() {
        for name in [
            "Called",
            "sessionStatus",
            "SessionStatus",
            "MediaUrl0",
            "MediaContentType12",
            "SipHeader_X-Foo",
            "AddOns.status",
        ] {
            assert_eq!(check_name(name), None, "{name}");
        }
        for (name, problem) in [
            ("called", NameProblem::Case("Called")),
            ("sessionstatus", NameProblem::Case("sessionStatus")),
            ("Cal1ed", NameProblem::Unknown(Some("Called"))),
            ("MediaUrl", NameProblem::Unknown(None)),
            ("campaign", NameProblem::Unknown(None)),
            // Perhaps a query field of the operator's own.
            ("queueposition", NameProblem::Unknown(Some("QueuePosition"))),
            // Only JSON has values inside.
            ("Called.x", NameProblem::Unknown(Some("Called"))),
        ] {
            assert_eq!(check_name(name), Some(problem), "{name}");
        }
    }

    #[test]
    fn what_an_intercept_sends_is_known() {
        for name in [
            "interactionType",
            "interactionData.body",
            "MediaUrl0",
            "AccountSid",
        ] {
            assert!(
                check_name(name).is_none() && is_of_intercept(name),
                "{name}"
            );
        }
        for name in ["Called", "Body", "sessionSid", "outboundResourceSid"] {
            assert!(!is_of_intercept(name), "{name}");
        }
    }

    #[test]
    fn what_people_type_and_say_is_compared_as_they_mean_it() {
        for (parameter, text, folded) in [
            ("Called", " Sales. ", " Sales. "),
            ("Body", " Sales. ", "sales."),
            ("SpeechResult", " Sales. ", "sales"),
            ("SpeechResult", "Yes, please!", "yes, please"),
            ("SpeechResult", "…", ""),
            ("SpeechResult", "はい。", "はい"),
            ("TranscriptionText", "Call me back ?! ", "call me back"),
            ("UnstableSpeechResult", "Sales.", "Sales."),
        ] {
            assert_eq!(
                Comparison::of(parameter).folded(text),
                folded,
                "{parameter}"
            );
        }
    }

    #[test]
    fn names_that_differ_by_letter_case_only_are_both_right() {
        let mut pairs = Vec::new();
        for name in all() {
            assert_eq!(check_name(name), None);
            pairs.extend(
                all()
                    .filter(|other| name < *other && name.eq_ignore_ascii_case(other))
                    .map(|other| (name, other)),
            );
        }
        assert_eq!(pairs, [("SessionStatus", "sessionStatus")]);
    }

    #[test]
    fn requests_carry_the_parameters_of_their_kind() {
        let on = |name| Channel::ALL.map(|channel| may_come_with(name, channel));
        assert_eq!(on("CallSid"), [true, false]);
        assert_eq!(on("Body"), [false, true]);
        assert_eq!(on("Called"), [true, true]);
        assert_eq!(on("ToCity"), [true, true]);
        assert_eq!(on("SipHeader_X-Foo"), [true, false]);
        assert_eq!(on("ChannelMetadata.type"), [false, true]);
        assert_eq!(on("campaign"), [true, true]);
        assert_eq!(follow_ups_with("CallSid"), None);
        assert_eq!(follow_ups_with("campaign"), None);
        let digits = follow_ups_with("Digits").expect("keys follow a Gather or a Record");
        assert_eq!(digits, ["gather-action", "record-action"]);
        let of = |element, attribute| follow_ups_of(element, attribute).collect::<Vec<_>>();
        assert_eq!(of("Gather", Some("action")), ["gather-action"]);
        assert_eq!(of("Redirect", None), ["message", "voice"]);
        assert!(of("Gather", Some("partialResultCallback")).is_empty());
    }

    #[test]
    fn the_list_agrees_with_itself() {
        for parameter in PARAMETERS
            .twilio
            .values()
            .chain(PARAMETERS.families.values())
        {
            for webhook in &parameter.webhooks {
                assert!(PARAMETERS.webhooks.contains_key(webhook), "{webhook}");
            }
        }
        for (name, parameter) in PARAMETERS.with_names() {
            let is_sid = parameter.kind == ParameterKind::Sid;
            assert!(is_sid || parameter.prefixes.is_empty(), "{name}");
            let is_enumerated = parameter.kind == ParameterKind::Enumerated;
            assert!(is_enumerated || parameter.values.is_empty(), "{name}");
            assert!(
                parameter.open || !is_enumerated || !parameter.values.is_empty(),
                "{name}"
            );
            assert!(
                !parameter.private || parameter.privacy != Privacy::Keep,
                "{name}"
            );
            assert!(!parameter.always || parameter.sample.is_some(), "{name}");
            if let Some(alias) = parameter.alias {
                assert_eq!(get(alias).alias, Some(name));
            }
        }
    }
}
