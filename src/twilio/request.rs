//! A webhook request as the table sees it: the pairs as they were signed, and a typed view over them.
//!
//! Reading never fails: a missing field reads as empty, and an unknown word stays as text.

pub mod event;
mod form;
pub mod sample;

use std::borrow::Cow;
use std::cell::RefCell;

use serde_json::Value as Json;

pub use self::form::Form;
use super::channel::Channel;
pub use super::channel::Webhook;
use super::facts::{Facts, Known, text_inside};
use super::number::is_withheld;
use super::parameters;

/// One request, read by parameter name. Borrows the forms; copies nothing.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    webhook: Webhook,
    body: &'a Form,
    query: &'a Form,
    channel: Channel,
    caller_withheld: bool,
    /// The parameters that hold JSON, by name, each parsed when a dotted name first needs it.
    parsed: RefCell<Vec<(String, Json)>>,
}

impl<'a> Request<'a> {
    /// The view over the fields of a body (empty for a GET) and of a query.
    #[must_use]
    pub fn new(webhook: Webhook, body: &'a Form, query: &'a Form) -> Self {
        let mut request = Self {
            webhook,
            body,
            query,
            channel: Channel::Voice,
            caller_withheld: false,
            parsed: RefCell::default(),
        };
        request.channel = request.find_channel();
        request.caller_withheld = is_withheld(&request.value("Caller"), request.channel);
        request
    }

    fn find_channel(&self) -> Channel {
        let is_there = |name: &str| !self.sent(name).is_empty();
        let of_texts = ["MessageSid", "SmsSid", "SmsMessageSid", "Body", "SmsStatus"];
        // Proxy reports an interaction without a SID that would show the channel.
        let is_interaction = || {
            let kind = self.sent("interactionType");
            !self.webhook.wants_document() && kind.eq_ignore_ascii_case("message")
        };
        if !is_there("CallSid") && (of_texts.into_iter().any(is_there) || is_interaction()) {
            Channel::Message
        } else {
            Channel::Voice
        }
    }

    /// The webhook that received it.
    #[must_use]
    pub fn webhook(&self) -> Webhook {
        self.webhook
    }

    /// Whether this is a call or a text.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.channel
    }

    /// The query's `step`; empty when there is none. A field of the body is not a step.
    #[must_use]
    pub fn step(&self) -> &'a str {
        self.query.first("step").unwrap_or_default()
    }

    /// The value sent under exactly this name, from the body or else from the query; empty when absent.
    #[must_use]
    pub fn sent(&self, name: &str) -> &'a str {
        self.body
            .first(name)
            .or_else(|| self.query.first(name))
            .unwrap_or_default()
    }

    /// The value of a parameter as conditions and templates read it: [`Facts::value`], fully known. Empty when absent.
    #[must_use]
    pub fn value(&self, name: &str) -> Cow<'a, str> {
        Facts::value(self, name).whole().unwrap_or_default()
    }

    /// The alias that [`Request::value`] read instead of this parameter, if it did.
    pub(crate) fn alias_used(&self, name: &str) -> Option<&'static str> {
        let alias = parameters::get(name).alias;
        alias.filter(|other| self.sent(name).is_empty() && !self.sent(other).is_empty())
    }

    /// Our own number: `Called` on an inbound request, `Caller` on an outbound one.
    pub(crate) fn own_number(&self) -> Cow<'a, str> {
        self.value(if self.value("Direction").starts_with("outbound") {
            "Caller"
        } else {
            "Called"
        })
    }

    /// The SID of the call, the text or Proxy's interaction; empty when absent.
    #[must_use]
    pub fn sid(&self) -> &'a str {
        let of_texts = ["MessageSid", "SmsSid", "SmsMessageSid"];
        let names = ["CallSid"].into_iter().chain(of_texts);
        let mut sids = names.chain(["interactionSid"]).map(|name| self.sent(name));
        sids.find(|sid| !sid.is_empty()).unwrap_or_default()
    }
}

impl<'a> Facts<'a> for Request<'a> {
    fn webhook(&self) -> Webhook {
        self.webhook
    }

    fn channel(&self) -> Channel {
        self.channel
    }

    fn step(&self) -> Option<&'a str> {
        Some(Self::step(self))
    }

    fn sent(&self, name: &str) -> Known<'a> {
        Known::Whole(Cow::Borrowed(Self::sent(self, name)))
    }

    fn caller_withheld(&self) -> Option<bool> {
        Some(self.caller_withheld)
    }

    fn inside(&self, parameter: &str, path: &str) -> Known<'a> {
        let mut parsed = self.parsed.borrow_mut();
        let place = parsed.iter().position(|(name, _)| name == parameter);
        let place = place.unwrap_or_else(|| {
            let json = serde_json::from_str(Self::sent(self, parameter));
            parsed.push((parameter.to_owned(), json.unwrap_or_default()));
            parsed.len() - 1
        });
        Known::Whole(Cow::Owned(text_inside(&parsed[place].1, path)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(body: &str) -> (Form, Form) {
        (Form::parse(body.as_bytes()), Form::default())
    }

    fn value(body: &str, name: &str) -> String {
        let (body, query) = call(body);
        Request::new(Webhook::OutOfSession, &body, &query)
            .value(name)
            .into_owned()
    }

    #[test]
    fn an_alias_is_used_when_there_is_nothing_but_the_alias() {
        for (body, used) in [
            ("From=%2B1", Some("From")),
            ("Caller=%2B2&From=%2B1", None),
            ("Caller=%2B2", None),
            ("From=", None),
            ("", None),
        ] {
            let (body, query) = call(body);
            let request = Request::new(Webhook::Plain, &body, &query);
            assert_eq!(request.alias_used("Caller"), used, "{body:?}");
            assert_eq!(request.alias_used("Body"), None);
        }
    }

    #[test]
    fn the_channel_is_told_by_the_sid_then_by_the_fields_of_a_text() {
        for (body, channel) in [
            ("CallSid=CA1", Channel::Voice),
            ("CallSid=CA1&MessageSid=SM1", Channel::Voice),
            ("MessageSid=SM1", Channel::Message),
            ("SmsSid=SM1", Channel::Message),
            ("SmsMessageSid=SM1", Channel::Message),
            ("CallSid=&SmsSid=SM1", Channel::Message),
            ("Body=hi", Channel::Message),
            ("SmsStatus=received", Channel::Message),
            ("", Channel::Voice),
            ("To=%2B1", Channel::Voice),
        ] {
            let (body_form, query) = call(body);
            assert_eq!(
                Request::new(Webhook::Plain, &body_form, &query).channel(),
                channel,
                "{body}"
            );
        }
    }

    #[test]
    fn an_interaction_says_itself_whether_it_is_a_text() {
        for (webhook, body, channel) in [
            (
                Webhook::Intercept,
                "interactionType=Message",
                Channel::Message,
            ),
            (
                Webhook::Callback,
                "interactionType=message",
                Channel::Message,
            ),
            (Webhook::Intercept, "interactionType=Voice", Channel::Voice),
            (Webhook::Plain, "interactionType=Message", Channel::Voice),
        ] {
            let (body, query) = call(body);
            assert_eq!(Request::new(webhook, &body, &query).channel(), channel);
        }
    }

    #[test]
    fn every_webhook_has_a_word() {
        for webhook in Webhook::ALL {
            assert_eq!(Webhook::from_name(webhook.as_str()), Some(webhook));
        }
        assert_eq!(Webhook::from_name("Webhook"), None);
    }

    #[test]
    fn a_text_answers_to_the_names_of_a_call_and_the_other_way_round() {
        let text = "MessageSid=SM1&To=%2B15005550006&From=%2B14155550100&ToCity=A&FromState=B&FromZip=1&ToCountry=US";
        assert_eq!(value(text, "Called"), "+15005550006");
        assert_eq!(value(text, "Caller"), "+14155550100");
        assert_eq!(value(text, "CalledCity"), "A");
        assert_eq!(value(text, "CallerState"), "B");
        assert_eq!(value(text, "CallerZip"), "1");
        assert_eq!(value(text, "CalledCountry"), "US");
        assert_eq!(value(text, "Direction"), "inbound");
        assert_eq!(value("Called=%2B1&To=", "To"), "+1");
        assert_eq!(value("Caller=%2B1", "From"), "+1");
        assert_eq!(value("Called=%2B1&To=%2B2", "Called"), "+1");
    }

    #[test]
    fn a_body_field_wins_over_the_query_and_step_is_only_of_the_query() {
        let body = Form::parse(b"Called=%2B1&step=body");
        let query = Form::parse(b"Called=%2B2&campaign=spring&step=lost");
        let request = Request::new(Webhook::OutOfSession, &body, &query);
        assert_eq!(request.value("Called"), "+1");
        assert_eq!(request.value("campaign"), "spring");
        assert_eq!(request.step(), "lost");
        assert_eq!(
            Request::new(Webhook::OutOfSession, &body, &Form::default()).step(),
            ""
        );
    }

    #[test]
    fn a_withheld_caller_is_from_nowhere() {
        let withheld = "Caller=%2B266696687&CallerCountry=LS&FromCity=X&CalledCountry=US";
        assert_eq!(value(withheld, "CallerCountry"), "");
        assert_eq!(value(withheld, "FromCity"), "");
        assert_eq!(value(withheld, "CalledCountry"), "US");
        assert_eq!(value(withheld, "Caller"), "+266696687");
        assert_eq!(
            value("Caller=%2B26669668&CallerCountry=LS", "CallerCountry"),
            "LS"
        );
    }

    #[test]
    fn a_dotted_name_reaches_into_json_unless_it_was_sent() {
        let body = "interactionData=%7B%22body%22%3A%22hi%22%2C%22n%22%3A%5B7%2Ctrue%5D%2C%22o%22%3A%7B%7D%7D";
        assert_eq!(value(body, "interactionData.body"), "hi");
        assert_eq!(value(body, "interactionData.n.0"), "7");
        assert_eq!(value(body, "interactionData.n.1"), "true");
        assert_eq!(value(body, "interactionData.o"), "");
        assert_eq!(value(body, "interactionData.none"), "");
        assert_eq!(
            value("interactionData=%7Bbroken", "interactionData.body"),
            ""
        );
        assert_eq!(
            value(
                "interactionData=%7B%22body%22%3A1%7D&interactionData.body=x",
                "interactionData.body"
            ),
            "x"
        );
    }

    #[test]
    fn our_own_number_depends_on_the_direction() {
        for (body, own) in [
            ("Called=%2B1&Caller=%2B2&Direction=inbound", "+1"),
            ("Called=%2B1&Caller=%2B2&Direction=outbound-api", "+2"),
            ("To=%2B1&From=%2B2", "+1"),
        ] {
            let (body, query) = call(body);
            assert_eq!(
                Request::new(Webhook::OutOfSession, &body, &query).own_number(),
                own
            );
        }
    }
}
