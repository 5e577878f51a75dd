//! Only the operator decides which destinations we pay to reach: tries every place of TwiML that leads somewhere, with
//! every kind of parameter in it.

use twiml_responder::language::{NoFiles, compile};
use twiml_responder::table::diagnostic::{File, Severity};
use twiml_responder::twilio::channel::Channel;
use twiml_responder::twilio::vocabulary::{self, ElementSpec};

/// Parameters that an outsider fills in, and those of the two parties.
const PARAMETERS: [&str; 13] = [
    "Body",
    "Digits",
    "SpeechResult",
    "CallerCity",
    "ForwardedFrom",
    "CallSid",
    "campaign",
    "MediaUrl0",
    "RecordingUrl",
    "Called",
    "To",
    "Caller",
    "From",
];

/// The two that reveal who the other party really is.
const PRIVATE: [&str; 2] = [
    "outboundParticipantIdentifier",
    "outboundParticipantFriendlyName",
];

/// Elements whose text is a person or a telephone to be dialled.
const DIALLED: [&str; 7] = [
    "Dial", "Number", "Client", "Identity", "Sip", "Uri", "WhatsApp",
];

/// Elements whose text is another destination.
const NAMED: [&str; 9] = [
    "Conference",
    "Queue",
    "Sim",
    "Application",
    "ApplicationSid",
    "Enqueue",
    "Redirect",
    "Play",
    "Media",
];

/// Those that are places of our own, which cost nothing to reach.
const ROOMS: [&str; 3] = ["Conference", "Queue", "Enqueue"];

/// A place in a reply: the elements down to it, and the attribute, if it is one.
struct Place {
    path: Vec<&'static str>,
    attribute: Option<&'static str>,
    is_url: bool,
}

impl Place {
    fn element(&self) -> &'static str {
        self.path[self.path.len() - 1]
    }

    fn is_referred(&self) -> bool {
        self.path.contains(&"Refer")
    }

    /// Whether it is a destination, by the manual's list.
    fn leads(&self) -> bool {
        match self.attribute {
            Some(name) => self.is_url || ["to", "from", "callerId"].contains(&name),
            None => DIALLED.contains(&self.element()) || NAMED.contains(&self.element()),
        }
    }

    /// Whether a parameter may decide the destination.
    fn may_be_led_by(&self, parameter: &str) -> bool {
        let is_ours = ["Called", "To"].contains(&parameter);
        let is_callers = ["Caller", "From"].contains(&parameter);
        match self.attribute {
            Some("callerId") => is_ours || is_callers,
            Some("from") => is_ours,
            Some("to") => is_callers,
            Some(_) => false,
            None if ROOMS.contains(&self.element()) => is_ours || parameter == "CallSid",
            None => is_callers && DIALLED.contains(&self.element()) && !self.is_referred(),
        }
    }

    /// Whether a text may be the URL of a recording or a picture from the caller or sender.
    fn may_relay(&self, text: &str) -> bool {
        let is_relayed = ["{{ MediaUrl0 }}", "{{ RecordingUrl }}"].contains(&text);
        is_relayed && self.attribute.is_none() && ["Play", "Media"].contains(&self.element())
    }

    /// A route on a channel whose reply has this text at this place.
    fn route(&self, channel: Channel, text: &str, private: bool) -> String {
        let (element, outer) = self.path.split_last().expect("a verb at least");
        let mut reply = match self.attribute {
            Some(name) => format!("{{ {element} = \"\", \"{name}\" = \"{text}\" }}"),
            None => format!("{{ {element} = \"{text}\" }}"),
        };
        for element in outer.iter().rev() {
            reply = format!("{{ {element} = [{reply}] }}");
        }
        format!("[[route]]\nname = \"route\"\nprivate = {private}\n{channel} = [{reply}]\n")
    }
}

/// Every place of a channel: all texts and attributes of all elements, each at the first place where TwiML allows it.
fn places(channel: Channel) -> Vec<Place> {
    let mut places = Vec::new();
    let mut seen: Vec<&ElementSpec> = Vec::new();
    let mut open = vec![(vocabulary::response(channel), Vec::new())];
    while let Some((parent, path)) = open.pop() {
        for name in parent.child_names() {
            let child = vocabulary::child_of(channel, parent, name).expect("it is its child");
            if seen.iter().any(|seen| std::ptr::eq(*seen, child)) {
                continue;
            }
            seen.push(child);
            let path = [&path[..], &[name]].concat();
            if child.text {
                places.push(Place {
                    path: path.clone(),
                    attribute: None,
                    is_url: ["Redirect", "Play", "Media"].contains(&name),
                });
            }
            for name in child.attribute_names() {
                let (_, attribute) = child.attribute(name).expect("it is its attribute");
                let is_url = attribute.expected() == "a URL in quotes";
                places.push(Place {
                    path: path.clone(),
                    attribute: Some(name),
                    is_url,
                });
            }
            open.push((child, path));
        }
    }
    places
}

/// Whether a table with this route has an error with this code.
fn has_error(route: &str, code: &str) -> bool {
    let text = format!(
        "parameters = [\"campaign\"]\n{route}[default]\nvoice = [{{ Say = \"Goodbye.\" }}]\n"
    );
    match compile(&File::new("responses.toml", &*text), &NoFiles) {
        Ok(_) => false,
        Err(diagnostics) => diagnostics
            .iter()
            .any(|found| found.severity == Severity::Error && found.check.code == code),
    }
}

#[test]
fn no_parameter_leads_anywhere_but_where_the_manual_lets_it() {
    let mut count = 0;
    for channel in Channel::ALL {
        for place in places(channel).iter().filter(|place| place.leads()) {
            count += 1;
            for parameter in PARAMETERS {
                // Neither a prefix nor a filter or a fallback hides a parameter.
                for text in [
                    format!("{{{{ {parameter} }}}}"),
                    format!("https://example.com/{{{{ {parameter} | lower }}}}?a=b"),
                    format!("sip:{{{{ {parameter} | upper }}}}@example.com"),
                    format!("{{{{ Caller | default({parameter}) }}}}"),
                ] {
                    let route = place.route(channel, &text, true);
                    let is_led_by_caller =
                        !text.contains("default") || place.may_be_led_by("Caller");
                    let may = place.may_be_led_by(parameter) && is_led_by_caller
                        || place.may_relay(&text);
                    assert_eq!(has_error(&route, "open-destination"), !may, "{route}");
                }
            }
        }
    }
    // The number in today's TwiML.
    assert!(count >= 69, "{count} places lead somewhere");
}

#[test]
fn any_parameter_may_stand_behind_the_question_mark_of_a_url_and_where_nothing_leads() {
    for channel in Channel::ALL {
        for place in places(channel) {
            for parameter in PARAMETERS {
                let text = match (place.is_url, place.leads()) {
                    (true, _) => format!("https://example.com/?a={{{{ {parameter} }}}}"),
                    (false, true) => continue,
                    (false, false) => format!("{{{{ {parameter} }}}}"),
                };
                let route = place.route(channel, &text, false);
                assert!(!has_error(&route, "open-destination"), "{route}");
            }
        }
    }
}

#[test]
fn who_the_other_party_really_is_stands_only_where_it_is_dialled() {
    for channel in Channel::ALL {
        for place in places(channel) {
            let dials = ["Dial", "Number", "WhatsApp"].contains(&place.element())
                && place.attribute.is_none();
            for parameter in PRIVATE {
                for private in [true, false] {
                    let text = if place.is_url {
                        format!("https://example.com/?a={{{{ {parameter} }}}}")
                    } else {
                        format!("{{{{ {parameter} }}}}")
                    };
                    let route = place.route(channel, &text, private);
                    let may = private && dials && parameter == "outboundParticipantIdentifier";
                    assert_eq!(has_error(&route, "private-number"), !may, "{route}");
                }
            }
        }
    }
}

#[test]
fn a_number_that_is_dialled_is_told_nowhere_unless_its_directory_lets_it() {
    let mut count = 0;
    for channel in Channel::ALL {
        let places = places(channel);
        for place in places.iter().filter(|place| place.attribute.is_none()) {
            count += usize::from(!place.leads());
            for text in [
                "{{ sellers.phone }}",
                "Ask {{ sellers.phone | spell }}.",
                "{{ sellers.name | default(sellers.phone) }}",
            ] {
                for public in ["", "public = [\"phone\"]", "public = [\"name\"]"] {
                    for dialled in ["{{ sellers.phone }}", "+14155550123"] {
                        let table = format!(
                            "[directory.sellers]\n{public}\n\
                             rows = [{{ number = \"+15005550001\", name = \"Ann\", phone = \"+14155550101\" }}]\n\
                             {}when = {{ Called = {{ in = \"sellers\" }} }}\n\
                             [[route]]\nname = \"other\"\nwhen = {{ To = {{ in = \"sellers\" }} }}\n\
                             voice = [{{ Dial = [{{ Number = \"{dialled}\" }}] }}]\n",
                            place.route(channel, text, false)
                        );
                        let is_dialled = dialled.starts_with('{');
                        let may = place.leads() || public.contains("phone") || !is_dialled;
                        assert_eq!(has_error(&table, "private-column"), !may, "{table}");
                    }
                }
            }
        }
    }
    assert!(count >= 10, "{count} places tell something");
}
