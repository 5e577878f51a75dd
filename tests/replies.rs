//! What Twilio gets: documents that are correct whatever a request contains, and the defaults that protect people.

use std::sync::LazyLock;

use jiff::Timestamp;
use proptest::prelude::*;
use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};
use twiml_responder::language::{NoFiles, compile};
use twiml_responder::table::Table;
use twiml_responder::table::answer::{Answer, Asked, answer, last_resort};
use twiml_responder::table::diagnostic::File;
use twiml_responder::table::guard::LoopGuard;
use twiml_responder::table::reply::RenderError;
use twiml_responder::twilio::channel::Channel;
use twiml_responder::twilio::request::{Form, Request, Webhook};
use twiml_responder::twilio::vocabulary::{self, Destination, ElementSpec};

const URL: &str = "https://example.com:8443/prefix/out-of-session";

const DEFAULT: &str = "
[default]
voice = [{ Say = \"This is the default.\" }]
message = [{ Message = \"This is the default.\" }]
";

fn table(text: &str) -> Table {
    let text = format!("{text}{DEFAULT}");
    let file = File::new("responses.toml", text.as_str());
    match compile(&file, &NoFiles) {
        Ok(compiled) => compiled.table,
        Err(diagnostics) => panic!("{diagnostics:#?}\n{text}"),
    }
}

/// A table whose only route says this to every call.
fn voice(verbs: &str) -> Table {
    table(&format!("[[route]]\nname = \"route\"\nvoice = [{verbs}]\n"))
}

/// A table whose only route sends this to every text.
fn message(verbs: &str) -> Table {
    table(&format!(
        "[[route]]\nname = \"route\"\nmessage = [{verbs}]\n"
    ))
}

fn answered<'t>(table: &'t Table, pairs: &[(&str, &str)]) -> Answer<'t> {
    let body: Form = pairs.iter().copied().collect();
    let query = Form::default();
    let request = Request::new(Webhook::OutOfSession, &body, &query);
    let asked = Asked {
        request: &request,
        url: URL,
        token: "",
        now: Timestamp::UNIX_EPOCH,
    };
    answer(table, &LoopGuard::new(), &asked)
}

/// The document without its declaration.
fn document(answer: &Answer<'_>) -> String {
    let text = std::str::from_utf8(&answer.body).expect("a document is UTF-8");
    text.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>")
        .expect("a document begins with its declaration")
        .to_owned()
}

/// The document for a call with these parameters; fails when the reply was not rendered.
fn said(table: &Table, pairs: &[(&str, &str)]) -> String {
    let answer = answered(table, &[&[("CallSid", "CA1")], pairs].concat());
    assert_eq!((answer.route, &answer.failure), ("route", &None));
    document(&answer)
}

/// The document for a text with these parameters; fails when the reply was not rendered.
fn sent(table: &Table, pairs: &[(&str, &str)]) -> String {
    let answer = answered(table, &[&[("MessageSid", "SM1")], pairs].concat());
    assert_eq!((answer.route, &answer.failure), ("route", &None));
    document(&answer)
}

// A document as its recipient reads it.

#[derive(Debug, Default)]
struct Element {
    tag: String,
    attributes: Vec<(String, String)>,
    /// The text directly inside it.
    text: String,
    children: Vec<Element>,
}

impl Element {
    fn opened(start: &BytesStart<'_>) -> Self {
        let attributes = start.attributes().map(|attribute| {
            let attribute = attribute.expect("attributes are well formed");
            let value = unescape(&attribute.value).expect("values are escaped rightly");
            (attribute.key.as_ref().to_owned(), value.into_owned())
        });
        Self {
            tag: start.name().as_ref().to_owned(),
            attributes: attributes.collect(),
            ..Self::default()
        }
    }

    fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The first element with that name, here or further down.
    fn find(&self, tag: &str) -> Option<&Element> {
        if self.tag == tag {
            return Some(self);
        }
        self.children.iter().find_map(|child| child.find(tag))
    }

    /// All text inside it, including its descendants.
    fn all_text(&self) -> String {
        let below: String = self.children.iter().map(Element::all_text).collect();
        self.text.clone() + &below
    }
}

/// Reads a document; panics when it is not well formed.
fn parsed(document: &[u8]) -> Element {
    let text = std::str::from_utf8(document).expect("a document is UTF-8");
    let mut reader = Reader::from_str(text);
    let mut open = vec![Element::default()];
    loop {
        match reader.read_event().expect("a document is well formed") {
            Event::Decl(_) => assert!(text.starts_with("<?xml "), "nothing before the declaration"),
            Event::Start(start) => open.push(Element::opened(&start)),
            Event::Empty(start) => last(&mut open).children.push(Element::opened(&start)),
            Event::End(_) => {
                let closed = open.pop().expect("the reader checks that ends match");
                last(&mut open).children.push(closed);
            }
            Event::Text(part) => last(&mut open).text.push_str(&part),
            Event::GeneralRef(name) => {
                let character = unescape(&format!("&{};", &*name))
                    .expect("a known entity")
                    .into_owned();
                last(&mut open).text.push_str(&character);
            }
            Event::Eof => break,
            other => panic!("a document has no {other:?}"),
        }
    }
    assert_eq!(open.len(), 1, "every element is closed");
    let top = open.remove(0);
    assert_eq!(
        (top.text.as_str(), top.children.len()),
        ("", 1),
        "one root and nothing beside it"
    );
    top.children.into_iter().next().expect("one root")
}

fn last(open: &mut [Element]) -> &mut Element {
    open.last_mut().expect("the document itself is always open")
}

/// Asserts that TwiML allows an element and all of its descendants.
fn assert_twiml(element: &Element, spec: &ElementSpec, channel: Channel) {
    let tag = &element.tag;
    for (name, value) in &element.attributes {
        let (_, attribute) = spec
            .attribute(name)
            .unwrap_or_else(|| panic!("{tag} has no {name}"));
        match attribute.check(value) {
            Ok(()) => {}
            Err(error) if error.is_suspicion() => {}
            Err(error) => panic!("{name}={value:?} of {tag}: {error}"),
        }
        if attribute.destination() == Some(Destination::Url) {
            assert_absolute(value);
        }
    }
    assert!(
        spec.text || element.text.is_empty(),
        "{tag} cannot contain text: {:?}",
        element.text
    );
    if spec.needs_content && element.children.is_empty() {
        assert!(!element.text.trim().is_empty(), "{tag} needs text");
    }
    if spec.destination == Some(Destination::Url) && !element.text.is_empty() {
        assert_absolute(&element.text);
    }
    for child in &element.children {
        let spec = vocabulary::child_of(channel, spec, &child.tag)
            .unwrap_or_else(|| panic!("{tag} takes no {}", child.tag));
        assert_twiml(child, spec, channel);
    }
}

fn assert_absolute(url: &str) {
    let schemes = ["https://", "http://", "wss://"];
    assert!(
        schemes.iter().any(|scheme| url.starts_with(scheme)),
        "{url}"
    );
    assert!(
        url.is_ascii(),
        "what a request brings into a URL is percent-encoded: {url}"
    );
}

// Random requests.

/// Templates in every place where a parameter is allowed.
const EVERYWHERE: &str = r#"
parameters = ["campaign"]

[[route]]
name = "route"
voice = [
  { Say = "{{ SpeechResult }}", voice = "{{ campaign }}" },
  { Say = ["Code ", { say-as = "{{ Digits | spell }}", interpret-as = "digits" }, ", ", { sub = "{{ CallerName | upper }}", alias = "{{ CallerName }}" }] },
  { Play = "https://example.com/?a={{ Digits }}&b={{ SpeechResult | lower }}" },
  { Gather = [{ Say = "{{ CallerName | default(\"nobody\") }}" }], action = "?step=next&a={{ SpeechResult }}", hints = "{{ CallerName }}" },
  { Dial = [{ Client = [{ Identity = "alice" }, { Parameter = "", name = "said", value = "{{ SpeechResult }}" }] }, { Number = "+15005550006", url = "/whisper?a={{ Digits }}" }] },
  { Redirect = "/next?a={{ CallerName | default(Digits) }}" },
]
message = [
  { Message = "{{ Body }}" },
  { Message = [{ Body = "{{ Body }}" }, { Body = " from {{ campaign }}" }, { Media = "https://example.com/?a={{ Body }}" }], statusCallback = "/status?a={{ campaign }}" },
]

[[route]]
name = "next"
step = "next"
voice = []
"#;

static TABLE: LazyLock<Table> = LazyLock::new(|| table(EVERYWHERE));

fn any_text() -> impl Strategy<Value = String> {
    let characters = prop::collection::vec(any::<char>(), 0..40).prop_map(String::from_iter);
    let awkward = prop::sample::select(vec![
        "",
        " ",
        "]]>",
        "<Hangup/>",
        "&amp;",
        "&#0;",
        "\0",
        "\u{1}\u{8}\u{b}\u{1f}",
        "\u{fffe}\u{ffff}",
        "\r\n",
        "\u{85}\u{2028}",
        "\"'",
        "<!--",
        "<![CDATA[",
        "\u{202e}",
        "e\u{301}",
        "\u{1F468}\u{200D}\u{1F469}",
        "{{ Caller }}",
        "%41",
        "?#&=+",
    ])
    .prop_map(str::to_owned);
    let piece = prop_oneof![2 => characters, 2 => awkward, 1 => "[a-z ]{0,30}"];
    let times = prop_oneof![8 => Just(1_usize), 1 => 1..200_usize, 1 => 1..3000_usize];
    (prop::collection::vec(piece, 0..5), times)
        .prop_map(|(pieces, times)| pieces.concat().repeat(times))
}

/// A text without the characters that XML 1.0 cannot represent.
fn carried(text: &str) -> String {
    let carries = |character: &char| match u32::from(*character) {
        0x9 | 0xa | 0xd => true,
        0xfffe | 0xffff => false,
        code => code >= 0x20,
    };
    text.chars().filter(carries).collect()
}

/// The part of a text that a voice speaks: at most this many characters, and a limited number of bytes when
/// percent-encoded.
fn spoken(text: &str, characters: usize) -> String {
    let mut encoded = 0;
    carried(text)
        .chars()
        .take(characters)
        .take_while(|character| {
            let is_bare = character.is_ascii_alphanumeric() || " -._~*".contains(*character);
            encoded += if is_bare { 1 } else { 3 * character.len_utf8() };
            encoded <= 4500
        })
        .collect()
}

/// The characters of a text, separated by blanks.
fn spelt(text: &str) -> String {
    let characters = text.chars().filter(|character| !character.is_whitespace());
    characters.map(String::from).collect::<Vec<_>>().join(" ")
}

fn is_blank(text: &str) -> bool {
    carried(text).trim().is_empty()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_call_gets_a_document_that_twilio_accepts(
        speech in any_text(), digits in any_text(), name in any_text(), campaign in any_text(), number in any_text(),
    ) {
        let answer = answered(&TABLE, &[
            ("CallSid", "CA1"), ("SpeechResult", &speech), ("Digits", &digits), ("CallerName", &name), ("campaign", &campaign), ("Called", &number),
        ]);
        prop_assert!(answer.body.len() <= 64_000);
        let response = parsed(&answer.body);
        prop_assert_eq!(&response.tag, "Response");
        assert_twiml(&response, vocabulary::response(Channel::Voice), Channel::Voice);
        if let Some((route, error)) = &answer.failure {
            // The only possible failure with this table is the size of the document.
            prop_assert_eq!((*route, error), ("route", &RenderError::TooLarge));
            prop_assert_eq!(answer.route, "default");
            prop_assert_eq!(response.all_text(), "This is the default.");
            return Ok(());
        }
        let first = &response.children[0];
        if is_blank(&speech) {
            prop_assert_ne!(first.text.as_str(), speech.as_str());
        } else {
            let limit = match carried(&campaign).as_str() {
                "man" | "woman" | "alice" => 4000,
                voice if voice.starts_with("Google.") => 5000,
                _ => 3000,
            };
            prop_assert_eq!(&first.text, &spoken(&speech, limit));
        }
        let code = &response.children[usize::from(!is_blank(&speech))];
        let parts = [("say-as", spelt(&digits)), ("sub", name.to_uppercase())];
        // Long texts are cut like any others, which other checks cover.
        if parts.iter().all(|(_, text)| text.len() < 200) {
            for (tag, text) in &parts {
                let found = code.find(tag).map(Element::all_text);
                prop_assert_eq!(found, (!is_blank(text)).then(|| carried(text)));
            }
        }
        // A value from a request comes out of a URL unchanged, and affects no other part of it.
        let named = if name.is_empty() { &digits } else { &name };
        let gather = response.find("Gather").expect("a Gather stays");
        for (url, page, query) in [
            (response.find("Play").expect("a Play stays").text.as_str(), "https://example.com/", vec![("a", &digits), ("b", &speech.to_lowercase())]),
            (gather.attribute("action").expect("it stays"), URL, vec![("step", &"next".to_owned()), ("a", &speech)]),
            (response.find("Number").and_then(|number| number.attribute("url")).expect("it stays"), "https://example.com:8443/whisper", vec![("a", &digits)]),
            (&response.find("Redirect").expect("a Redirect stays").text, "https://example.com:8443/next", vec![("a", named)]),
        ] {
            let (before, after) = url.split_once('?').expect("a query");
            prop_assert_eq!(before, page);
            let found: Vec<(String, String)> = serde_urlencoded::from_str(after).expect("UTF-8");
            let query: Vec<(String, String)> = query.into_iter().map(|(name, value)| (name.to_owned(), value.clone())).collect();
            prop_assert_eq!(found, query);
        }
        let prompt = response.find("Gather").expect("a Gather stays").find("Say").map(Element::all_text);
        let name = if name.is_empty() { "nobody" } else { name.as_str() };
        prop_assert_eq!(prompt, (!is_blank(name)).then(|| spoken(name, 3000)));
        let parameter = response.find("Parameter").expect("a Parameter stays");
        prop_assert_eq!(parameter.attribute("value").unwrap_or_default(), carried(&speech));
    }

    #[test]
    fn any_text_message_gets_a_document_that_twilio_accepts(body in any_text(), campaign in any_text()) {
        let answer = answered(&TABLE, &[("MessageSid", "SM1"), ("Body", &body), ("campaign", &campaign)]);
        prop_assert!(answer.body.len() <= 64_000);
        let response = parsed(&answer.body);
        assert_twiml(&response, vocabulary::response(Channel::Message), Channel::Message);
        if answer.failure.is_some() {
            prop_assert_eq!(response.all_text(), "This is the default.");
            return Ok(());
        }
        let cut: String = carried(&body).chars().take(1600).collect();
        let is_left_out = is_blank(&body);
        prop_assert_eq!(response.children.len(), if is_left_out { 1 } else { 2 });
        if !is_left_out {
            prop_assert_eq!(&response.children[0].text, &cut);
        }
        let both = response.children.last().expect("the second message stays: its second body is not empty");
        let bodies: String = both.children.iter().filter(|child| child.tag == "Body").map(Element::all_text).collect();
        let whole = if is_left_out { String::new() } else { carried(&body) } + " from " + &carried(&campaign);
        let whole: String = whole.chars().take(1600).collect();
        // The cut may leave only blanks of the second body, which is then left out.
        prop_assert_eq!(bodies.trim_end(), whole.trim_end());
    }
}

/// The address of one party of a call, and whether it is a phone number.
fn address(last: char) -> impl Strategy<Value = (String, bool)> {
    let phone = format!("+1415555010{last}");
    let others = [
        "",
        "anonymous",
        "client:alice",
        "12345",
        "+0155550100",
        "+12345678901234567",
    ];
    let sip = format!("sip:{phone}@example.com");
    let whatsapp = format!("whatsapp:{phone}");
    let others = others
        .into_iter()
        .map(str::to_owned)
        .chain([sip, whatsapp])
        .collect::<Vec<_>>();
    prop_oneof![
        Just((phone, true)),
        prop::sample::select(others).prop_map(|other| (other, false))
    ]
}

proptest! {
    /// Without a `callerId` TwiML would show the caller's real number to the dialled party.
    #[test]
    fn who_is_dialled_never_sees_the_caller(
        (called, called_is_phone) in address('1'),
        (caller, caller_is_phone) in address('2'),
        names in (prop::sample::select(vec!["Called", "To"]), prop::sample::select(vec!["Caller", "From"])),
        direction in prop::sample::select(vec!["", "inbound", "outbound-api", "outbound-dial", "trunking-terminating"]),
        dial in prop::sample::select(vec!["\"+15005550009\"", "[{ Number = \"+15005550009\" }]", "[{ Client = \"bob\" }]", "[{ Sip = \"sip:desk@example.com\" }]"]),
    ) {
        let table = voice(&format!("{{ Dial = {dial}, timeout = 20 }}"));
        let answer = answered(&table, &[("CallSid", "CA1"), (names.0, &called), (names.1, &caller), ("Direction", direction)]);
        prop_assert_eq!(answer.route, "route");
        let dial = parsed(&answer.body);
        let (own, is_phone) = if direction.starts_with("outbound") { (&caller, caller_is_phone) } else { (&called, called_is_phone) };
        let shown = dial.find("Dial").expect("a Dial stays").attribute("callerId");
        prop_assert_eq!(shown, is_phone.then_some(own.as_str()));
    }
}

// Single rules.

#[test]
fn a_voice_and_its_language_come_as_a_pair() {
    let table = table(
        "[defaults.Say]\nvoice = \"Polly.Joanna-Neural\"\nlanguage = \"en-US\"\nloop = 2\n\
         [[route]]\nname = \"route\"\nvoice = [\n\
         { Say = \"a\" },\n{ Say = \"b\", voice = \"alice\" },\n{ Say = \"c\", language = \"de-DE\" },\n{ Say = \"d\", loop = 1 },\n\
         { Gather = [{ Say = \"e\" }], action = \"https://example.com/\" },\n]\n",
    );
    let pair = "voice=\"Polly.Joanna-Neural\" language=\"en-US\"";
    assert_eq!(
        said(&table, &[]),
        format!(
            "<Response><Say {pair} loop=\"2\">a</Say><Say voice=\"alice\" loop=\"2\">b</Say>\
             <Say language=\"de-DE\" loop=\"2\">c</Say><Say loop=\"1\" {pair}>d</Say>\
             <Gather action=\"https://example.com/\"><Say {pair} loop=\"2\">e</Say></Gather></Response>"
        )
    );
}

#[test]
fn a_dial_that_reaches_a_person_shows_our_own_number() {
    let inbound = [("Called", "+15005550006"), ("Caller", "+15005550001")];
    for (dial, shows) in [
        ("\"+15005550009\"", true),
        ("[{ Number = \"+15005550009\" }]", true),
        ("[{ Sip = \"sip:desk@example.com\" }]", true),
        ("[{ Client = \"alice\" }]", true),
        ("[{ WhatsApp = \"+15005550009\" }]", true),
        (
            "[{ Sim = \"DE0123456789abcdef0123456789abcdef\" }, { Number = \"+15005550009\" }]",
            true,
        ),
        ("[{ Conference = \"room\" }]", false),
        ("[{ Queue = \"line\" }]", false),
        ("[{ Sim = \"DE0123456789abcdef0123456789abcdef\" }]", false),
        (
            "[{ Application = \"AP0123456789abcdef0123456789abcdef\" }]",
            false,
        ),
    ] {
        let response = said(&voice(&format!("{{ Dial = {dial} }}")), &inbound);
        assert_eq!(
            response.contains("<Dial callerId=\"+15005550006\">"),
            shows,
            "{response}"
        );
        assert_eq!(response.contains("callerId"), shows, "{response}");
    }
}

#[test]
fn our_own_number_is_the_callers_on_an_outbound_call() {
    let table = voice("{ Dial = \"+15005550009\" }");
    for (pairs, caller_id) in [
        (
            &[("Called", "+15005550006"), ("Caller", "+15005550001")][..],
            Some("+15005550006"),
        ),
        (
            &[("To", "+15005550006"), ("From", "+15005550001")],
            Some("+15005550006"),
        ),
        (
            &[
                ("Called", "+15005550006"),
                ("Caller", "+15005550001"),
                ("Direction", "outbound-api"),
            ],
            Some("+15005550001"),
        ),
        (
            &[
                ("Called", "+15005550006"),
                ("From", "+15005550001"),
                ("Direction", "outbound-dial"),
            ],
            Some("+15005550001"),
        ),
        // Omitted only where our own number is not a phone number.
        (
            &[
                ("Called", "sip:desk@example.com"),
                ("Caller", "+15005550001"),
            ],
            None,
        ),
        (
            &[("Called", "client:alice"), ("Caller", "+15005550001")],
            None,
        ),
        (
            &[
                ("Called", "whatsapp:+15005550006"),
                ("Caller", "+15005550001"),
            ],
            None,
        ),
        (&[("Caller", "+15005550001")], None),
    ] {
        let response = said(&table, pairs);
        let wanted = match caller_id {
            Some(number) => format!("<Dial callerId=\"{number}\">"),
            None => "<Dial>".to_owned(),
        };
        assert!(response.contains(&wanted), "{pairs:?}: {response}");
    }
}

#[test]
fn a_caller_id_that_somebody_wrote_comes_first() {
    let pairs = [("Called", "+15005550006"), ("Caller", "+15005550001")];
    let own = voice("{ Dial = \"+15005550009\", callerId = \"+15005550007\" }");
    assert!(said(&own, &pairs).contains("<Dial callerId=\"+15005550007\">"));
    let section = "[defaults.Dial]\ncallerId = \"+15005550008\"\n[[route]]\nname = \"route\"\n";
    let default = table(&format!(
        "{section}voice = [{{ Dial = \"+15005550009\" }}]\n"
    ));
    assert!(said(&default, &pairs).contains("<Dial callerId=\"+15005550008\">"));
    let both = table(&format!(
        "{section}voice = [{{ Dial = \"+15005550009\", callerId = \"{{{{ Called }}}}\" }}]\n"
    ));
    assert!(said(&both, &pairs).contains("<Dial callerId=\"+15005550006\">"));
}

#[test]
fn urls_of_our_own_are_completed() {
    for (url, whole) in [
        (
            "?step=next",
            "https://example.com:8443/prefix/out-of-session?step=next",
        ),
        (
            "?step=next&a=b",
            "https://example.com:8443/prefix/out-of-session?step=next&amp;a=b",
        ),
        ("/music.mp3", "https://example.com:8443/music.mp3"),
        (
            "https://example.org/?a=1&b=2",
            "https://example.org/?a=1&amp;b=2",
        ),
        ("http://example.org", "http://example.org"),
    ] {
        let table = table(&format!(
            "[[route]]\nname = \"route\"\nvoice = [{{ Gather = [{{ Play = \"{url}\" }}], action = \"{url}\" }}]\n\
             [[route]]\nname = \"next\"\nstep = \"next\"\nvoice = []\n"
        ));
        assert_eq!(
            said(&table, &[]),
            format!(
                "<Response><Gather action=\"{whole}\"><Play>{whole}</Play></Gather></Response>"
            )
        );
    }
    let text = message(
        "{ Message = [{ Media = \"/a.png?x={{ Body }}\" }], statusCallback = \"/status\" }",
    );
    assert_eq!(
        sent(&text, &[("Body", "1")]),
        "<Response><Message statusCallback=\"https://example.com:8443/status\">\
         <Media>https://example.com:8443/a.png?x=1</Media></Message></Response>"
    );
}

#[test]
fn what_a_request_brings_into_a_url_is_percent_encoded() {
    let table = voice(
        "{ Play = \"https://example.com/?a={{ Digits }}&b={{ CallerCity | default(\\\"São Paulo\\\") }}\" }",
    );
    for (digits, encoded) in [
        ("12", "12"),
        ("#1*", "%231%2A"),
        ("1&b=2", "1%26b%3D2"),
        ("a b+c", "a%20b%2Bc"),
        ("%41", "%2541"),
        ("é\u{1F600}", "%C3%A9%F0%9F%98%80"),
        ("-._~", "-._~"),
        ("https://example.org/", "https%3A%2F%2Fexample.org%2F"),
    ] {
        let expected =
            format!("<Play>https://example.com/?a={encoded}&amp;b=S%C3%A3o%20Paulo</Play>");
        let response = said(&table, &[("Digits", digits)]);
        assert!(response.contains(&expected), "{response}");
    }
}

#[test]
fn an_element_whose_text_comes_out_empty_is_left_out() {
    for (verbs, response) in [
        (
            "{ Say = \"{{ Digits }}\" }, { Hangup = \"\" }",
            "<Response><Hangup/></Response>",
        ),
        ("{ Say = \"{{ Digits }}\" }", "<Response/>"),
        (
            "{ Say = [\"Code\", { say-as = \"{{ Digits }}\", interpret-as = \"digits\" }] }",
            "<Response><Say>Code</Say></Response>",
        ),
        (
            "{ Gather = [{ Say = \"{{ Digits }}\" }], action = \"/next\" }",
            "<Response><Gather action=\"https://example.com:8443/next\"/></Response>",
        ),
        (
            "{ Pause = \"\" }, { Say = \"a\", voice = \"{{ campaign }}\" }",
            "<Response><Pause/><Say>a</Say></Response>",
        ),
    ] {
        let table = table(&format!(
            "parameters = [\"campaign\"]\n[[route]]\nname = \"route\"\nvoice = [{verbs}]\n"
        ));
        assert_eq!(said(&table, &[]), response);
    }
    let table = message(
        "{ Message = \"{{ Body }}\" }, { Message = [{ Body = \"{{ Body }}\" }, { Media = \"https://example.com/a.png\" }] }",
    );
    assert_eq!(
        sent(&table, &[("Body", " \u{1} ")]),
        "<Response><Message><Media>https://example.com/a.png</Media></Message></Response>"
    );
}

/// A table that sends or says this, for the row of the called number, whose cells are filled or empty.
fn of_row(reply: &str) -> Table {
    table(&format!(
        "[directory.d]\nrows = [\n\
         {{ number = \"+15005550001\", phone = \"+14155550101\", page = \"https://example.com/a\" }},\n\
         {{ number = \"+15005550002\", phone = \"\", page = \"\" }}]\npublic = [\"phone\"]\n\
         [[route]]\nname = \"route\"\nwhen = {{ Called = {{ in = \"d\" }} }}\n{reply}\n"
    ))
}

#[test]
fn an_empty_cell_leaves_out_what_it_leads_to() {
    let (full, empty) = ([("Called", "+15005550001")], [("Called", "+15005550002")]);
    for (verbs, with_cell, without) in [
        (
            "{ Dial = \"{{ d.phone }}\", callerId = \"+15005550001\" }, { Say = \"Nobody.\" }",
            "<Dial callerId=\"+15005550001\">+14155550101</Dial><Say>Nobody.</Say>",
            "<Say>Nobody.</Say>",
        ),
        (
            "{ Dial = [{ Number = \"{{ d.phone }}\" }, { Number = \"+15005550009\" }], callerId = \"+15005550001\" }",
            "<Dial callerId=\"+15005550001\"><Number>+14155550101</Number><Number>+15005550009</Number></Dial>",
            "<Dial callerId=\"+15005550001\"><Number>+15005550009</Number></Dial>",
        ),
        (
            "{ Play = \"{{ d.page }}\" }, { Hangup = \"\" }",
            "<Play>https://example.com/a</Play><Hangup/>",
            "<Hangup/>",
        ),
        (
            "{ Record = \"\", action = \"{{ d.page }}\" }",
            "<Record action=\"https://example.com/a\"/>",
            "<Record/>",
        ),
    ] {
        let table = of_row(&format!("voice = [{verbs}]"));
        assert_eq!(
            said(&table, &full),
            format!("<Response>{with_cell}</Response>")
        );
        assert_eq!(
            said(&table, &empty),
            format!("<Response>{without}</Response>")
        );
    }
    let table = of_row(
        "message = [{ Message = \"a\", to = \"{{ d.phone }}\" }, { Message = \"b\", from = \"{{ d.phone }}\" }]",
    );
    assert_eq!(
        sent(&table, &full),
        "<Response><Message to=\"+14155550101\">a</Message><Message from=\"+14155550101\">b</Message></Response>"
    );
    assert_eq!(
        sent(&table, &empty),
        "<Response><Message>b</Message></Response>"
    );
    // A text that is too long is still reported.
    let text = "a".repeat(1601);
    let file = format!(
        "[[route]]\nname = \"route\"\nmessage = [{{ Message = \"{text}\", to = \"{{{{ Caller }}}}\" }}]\n{DEFAULT}"
    );
    let diagnostics = compile(&File::new("responses.toml", file), &NoFiles).expect_err("too long");
    assert!(
        diagnostics
            .iter()
            .any(|found| found.check.code == "too-long")
    );
}

#[test]
fn a_request_that_does_not_say_whom_to_reach_gives_the_default() {
    const DEFAULT_SAID: &str = "<Response><Say>This is the default.</Say></Response>";
    const DEFAULT_SENT: &str = "<Response><Message>This is the default.</Message></Response>";
    for dial in [
        "{ Dial = \"{{ Caller }}\" }, { Say = \"Nobody.\" }",
        "{ Dial = [{ Number = \"+15005550009\" }, { Number = \"{{ Caller }}\" }] }",
        "{ Dial = [{ Client = \"{{ Caller }}\" }] }",
        "{ Dial = [{ Number = \"{{ d.phone | default(Caller) }}\" }] }",
    ] {
        let table = of_row(&format!("voice = [{dial}]"));
        let answer = answered(&table, &[("CallSid", "CA1"), ("Called", "+15005550002")]);
        assert_eq!(
            answer.failure.as_ref().map(|(route, _)| *route),
            Some("route"),
            "{dial}"
        );
        assert_eq!(
            (answer.route, &*document(&answer)),
            ("default", DEFAULT_SAID)
        );
    }
    for to in [
        "{{ Caller }}",
        "{{ From | lower }}",
        "{{ d.phone | default(From) }}",
    ] {
        let table = of_row(&format!("message = [{{ Message = \"a\", to = \"{to}\" }}]"));
        let answer = answered(&table, &[("MessageSid", "SM1"), ("Called", "+15005550002")]);
        assert_eq!(
            answer
                .failure
                .as_ref()
                .map(|(_, error)| error.to_string())
                .as_deref(),
            Some("the value for to of Message cannot be used there: a number is empty")
        );
        assert_eq!(
            (answer.route, &*document(&answer)),
            ("default", DEFAULT_SENT)
        );
    }
}

// Relaying what people send and say.

const AT_TWILIO: &str =
    "https://api.twilio.com/2010-04-01/Accounts/AC00000000000000000000000000000001";

/// A table that relays a text, with up to ten pictures.
fn relay() -> Table {
    let media = (0..10).map(|n| format!("{{ Media = \"{{{{ MediaUrl{n} }}}}\" }}"));
    let media = media.collect::<Vec<_>>().join(", ");
    of_row(&format!(
        "message = [{{ Message = [{{ Body = \"{{{{ Body }}}}\" }}, {media}], to = \"{{{{ d.phone }}}}\" }}]"
    ))
}

#[test]
fn a_text_is_passed_on_with_all_of_its_pictures_and_nothing_that_is_not_there() {
    let table = relay();
    let urls: Vec<(String, String)> = (0..10)
        .map(|n| {
            (
                format!("MediaUrl{n}"),
                format!("{AT_TWILIO}/Messages/MM1/Media/ME{n}"),
            )
        })
        .collect();
    for pictures in 0..=10 {
        for body in ["", "Look & see"] {
            let mut pairs = vec![("Called", "+15005550001"), ("Body", body)];
            let mut content = String::new();
            if !body.is_empty() {
                content.push_str("<Body>Look &amp; see</Body>");
            }
            for (name, url) in &urls[..pictures] {
                pairs.push((name, url));
                content.extend(["<Media>", url, "</Media>"]);
            }
            let message = match &*content {
                "" => "<Response/>".to_owned(),
                some => {
                    format!("<Response><Message to=\"+14155550101\">{some}</Message></Response>")
                }
            };
            assert_eq!(
                sent(&table, &pairs),
                message,
                "{pictures} pictures, {body:?}"
            );
        }
    }
}

#[test]
fn only_what_is_at_twilio_is_passed_on() {
    let path = AT_TWILIO.trim_start_matches("https://api.twilio.com");
    let (relay, play) = (
        relay(),
        of_row("voice = [{ Play = \"{{ RecordingUrl }}\" }, { Hangup = \"\" }]"),
    );
    for (origin, is_passed_on) in [
        ("https://api.twilio.com", true),
        ("https://api.dublin.ie1.twilio.com", true),
        ("https://api.sydney.au1.twilio.com", true),
        ("https://api.twilio.com.evil.example", false),
        ("https://api.twilio.com@evil.example", false),
        ("https://user:pass@api.twilio.com", false),
        ("https://api.twilio.com:443", false),
        ("https://api.twilio.com\\@evil.example", false),
        ("https:\\\\api.twilio.com", false),
        ("https://API.TWILIO.COM", false),
        ("HTTPS://api.twilio.com", false),
        ("http://api.twilio.com", false),
        ("https://evil.example/?https://api.twilio.com", false),
        ("//api.twilio.com", false),
        ("", false),
    ] {
        let url = format!("{origin}{path}/Recordings/RE1");
        let called = ("Called", "+15005550001");
        let passed = sent(&relay, &[called, ("Body", "a"), ("MediaUrl3", &url)]);
        let media = if is_passed_on {
            format!("<Media>{url}</Media>")
        } else {
            String::new()
        };
        let message = format!("<Message to=\"+14155550101\"><Body>a</Body>{media}</Message>");
        assert_eq!(passed, format!("<Response>{message}</Response>"), "{url}");
        let played = said(&play, &[called, ("RecordingUrl", &url)]);
        let recording = if is_passed_on {
            format!("<Play>{url}</Play>")
        } else {
            String::new()
        };
        assert_eq!(
            played,
            format!("<Response>{recording}<Hangup/></Response>"),
            "{url}"
        );
    }
}

#[test]
fn a_value_that_cannot_stand_gives_the_default_and_says_so() {
    for (verbs, pairs, message) in [
        (
            "{ Say = \"a\" }, { Dial = \"{{ Caller }}\" }",
            [("Caller", "anonymous")],
            "the text for Dial cannot be used there: a number must begin with `+` and the country code",
        ),
        (
            "{ Dial = \"+15005550009\", callerId = \"{{ Caller }}\" }",
            [("Caller", "(anonymous)")],
            "the value for callerId of Dial cannot be used there: it must be a number, or letters, digits and + - _ . @ : only",
        ),
        (
            "{ Gather = [{ Say = \"{{ SpeechResult }}\", loop = \"{{ Digits }}\" }], action = \"/next\" }",
            [("Digits", "1001")],
            "the value for loop of Say cannot be used there: it must be from 0 to 1000",
        ),
        (
            "{ Dial = \"+15005550009\", ringTone = \"{{ Digits }}\" }",
            [("Digits", "#")],
            "the value for ringTone of Dial cannot be used there: it is not one of the values that TwiML allows",
        ),
        (
            "{ Dial = [{ Client = \"{{ Caller }}\" }] }",
            [("Caller", &*"a".repeat(257))],
            "the text for Client cannot be used there: it has more than 256 characters",
        ),
    ] {
        let table = voice(verbs);
        let answer = answered(&table, &[&[("CallSid", "CA1")], &pairs[..]].concat());
        let (route, error) = answer.failure.as_ref().expect("the value is refused");
        assert_eq!((*route, error.to_string().as_str()), ("route", message));
        assert_eq!(answer.route, "default");
        assert_eq!(
            document(&answer),
            "<Response><Say>This is the default.</Say></Response>"
        );
    }
    // A list that others maintain may have grown, so Twilio decides.
    let table = voice("{ Say = \"a\", language = \"{{ Digits }}\" }");
    assert_eq!(
        said(&table, &[("Digits", "#")]),
        "<Response><Say language=\"#\">a</Say></Response>"
    );
    let table = message("{ Message = \"a\", to = \"{{ From }}\" }");
    let answer = answered(
        &table,
        &[("MessageSid", "SM1"), ("From", "sip:alice@example.com")],
    );
    assert!(answer.failure.is_some());
    assert_eq!(
        document(&answer),
        "<Response><Message>This is the default.</Message></Response>"
    );
}

#[test]
fn a_message_is_cut_at_1600_characters() {
    let table = message("{ Message = \"{{ Body }}\" }");
    for (text, characters, cut) in [
        ("a", 1600, 0),
        ("a", 1601, 1),
        ("é", 5000, 1),
        ("\u{1F600}", 1601, 1),
    ] {
        let body = text.repeat(characters);
        let answer = answered(&table, &[("MessageSid", "SM1"), ("Body", &body)]);
        let sent = parsed(&answer.body).all_text();
        assert_eq!(
            (answer.cut_texts, sent),
            (cut, text.repeat(characters.min(1600)))
        );
    }
}

#[test]
fn the_url_of_a_media_is_no_part_of_what_is_cut() {
    let media = "{ Media = \"https://example.com/?a={{ campaign }}\" }";
    for nodes in [
        format!("{media}, {{ Body = \"{{{{ Body }}}}\" }}"),
        format!("{{ Body = \"{{{{ Body }}}}\" }}, {media}"),
    ] {
        let table = message(&format!("{{ Message = [{nodes}] }}"));
        let body = "a".repeat(2000);
        let pairs = [
            ("MessageSid", "SM1"),
            ("Body", &*body),
            ("campaign", "spring"),
        ];
        let answer = answered(&table, &pairs);
        let sent = parsed(&answer.body);
        let part = |tag| sent.find(tag).map(Element::all_text);
        assert_eq!(part("Body"), Some("a".repeat(1600)));
        assert_eq!(
            part("Media").as_deref(),
            Some("https://example.com/?a=spring")
        );
    }
}

#[test]
fn a_default_goes_only_where_the_attribute_does() {
    // The Sip of a Dial has a user; the Sip of a Refer does not.
    let verbs = "{ Dial = [{ Sip = \"sip:a@example.com\" }] }, { Refer = [{ Sip = \"sip:b@example.com\" }] }";
    let table = table(&format!(
        "[defaults.Sip]\nusername = \"u\"\n[[route]]\nname = \"route\"\nvoice = [{verbs}]\n"
    ));
    let response = said(&table, &[]);
    assert!(
        response.contains("<Sip username=\"u\">sip:a@example.com</Sip>"),
        "{response}"
    );
    assert!(
        response.contains("<Refer><Sip>sip:b@example.com</Sip></Refer>"),
        "{response}"
    );
}

#[test]
fn a_template_that_is_too_large_by_itself_does_not_compile() {
    let say = format!("{{ Say = \"{}\" }}, ", "a".repeat(2900));
    let table = |count: usize| {
        let verbs = format!("{}{{ Say = \"{{{{ Body }}}}\" }}", say.repeat(count));
        let text = format!("[[route]]\nname = \"route\"\nvoice = [{verbs}]\n{DEFAULT}");
        compile(&File::new("responses.toml", text), &NoFiles).map(|compiled| compiled.table)
    };
    assert!(table(20).is_ok());
    let diagnostics = table(25).expect_err("over 64 kB");
    assert_eq!(diagnostics[0].check.code, "too-long", "{diagnostics:#?}");
}

#[test]
fn a_cell_may_be_as_long_as_the_element_takes() {
    let name = "c".repeat(256);
    let table = table(&format!(
        "[directory.desks]\nrows = [{{ number = \"+15005550006\", name = \"{name}\" }}]\n\
         [[route]]\nname = \"route\"\nwhen = {{ Called = {{ in = \"desks\" }} }}\n\
         voice = [{{ Dial = [{{ Client = \"{{{{ desks.name }}}}\" }}] }}]\n"
    ));
    let response = said(&table, &[("Called", "+15005550006")]);
    assert!(
        response.contains(&format!("<Client>{name}</Client>")),
        "{response}"
    );
}

#[test]
fn the_last_resort_is_what_the_default_says_without_a_request() {
    let table = voice("{ Say = \"Hello.\" }");
    for (channel, verb) in [(Channel::Voice, "Say"), (Channel::Message, "Message")] {
        let answer = last_resort(&table, channel);
        let expected = format!("<Response><{verb}>This is the default.</{verb}></Response>");
        assert_eq!(document(&answer), expected);
        assert_eq!((answer.route, answer.failure), ("default", None));
    }
}

#[test]
fn a_say_is_cut_at_the_limit_of_its_voice() {
    for (voice_attribute, text, limit) in [
        ("", "a", 3000),
        (", voice = \"Polly.Joanna-Neural\"", "a", 3000),
        (", voice = \"alice\"", "a", 4000),
        // 5000 characters, but only 4500 when percent-encoded.
        (", voice = \"Google.en-US-Standard-A\"", "a", 4500),
        ("", "ё", 750),
        ("", ",", 1500),
        ("", "\u{1F600}", 375),
    ] {
        let table = voice(&format!(
            "{{ Say = \"{{{{ SpeechResult }}}}\"{voice_attribute} }}"
        ));
        for (length, cut) in [(limit, 0), (limit + 1, 1)] {
            let answer = answered(
                &table,
                &[("CallSid", "CA1"), ("SpeechResult", &text.repeat(length))],
            );
            let said = parsed(&answer.body).all_text();
            assert_eq!(
                (answer.cut_texts, said),
                (cut, text.repeat(limit)),
                "{voice_attribute}"
            );
        }
    }
}

#[test]
fn a_document_over_64_kilobytes_is_never_sent() {
    let value = "{ Parameter = \"\", name = \"said\", value = \"{{ SpeechResult }}\" }";
    let table = voice(&format!(
        "{{ Dial = [{{ Client = [{{ Identity = \"alice\" }}, {value}] }}] }}"
    ));
    let around = answered(&table, &[("CallSid", "CA1"), ("SpeechResult", "a")])
        .body
        .len()
        - 1;
    let longest = "a".repeat(64_000 - around);
    let answer = answered(&table, &[("CallSid", "CA1"), ("SpeechResult", &longest)]);
    assert_eq!((answer.body.len(), &answer.failure), (64_000, &None));
    let answer = answered(
        &table,
        &[("CallSid", "CA1"), ("SpeechResult", &(longest + "a"))],
    );
    assert_eq!(answer.failure, Some(("route", RenderError::TooLarge)));
    assert_eq!(
        document(&answer),
        "<Response><Say>This is the default.</Say></Response>"
    );
}

#[test]
fn a_long_reply_may_be_written_as_tables() {
    let table = table(
        "[[route]]\nname = \"route\"\n[[route.voice]]\nSay = \"a\"\nloop = 2\n[[route.voice]]\nHangup = \"\"\n",
    );
    assert_eq!(
        said(&table, &[]),
        "<Response><Say loop=\"2\">a</Say><Hangup/></Response>"
    );
}

#[test]
fn text_is_escaped_and_loses_what_xml_cannot_carry() {
    let table = message("{ Message = \"{{ Body }}\" }");
    assert_eq!(
        sent(&table, &[("Body", "a<b>&\"c'\0\u{8}\u{fffe}]]>\t\u{e9}")]),
        "<Response><Message>a&lt;b&gt;&amp;&quot;c&apos;]]&gt;\t\u{e9}</Message></Response>"
    );
    let literal = message("{ Message = \"a<b>\\u0001 & {{ \\\"{{\\\" }}\" }");
    assert_eq!(
        sent(&literal, &[]),
        "<Response><Message>a&lt;b&gt; &amp; {{</Message></Response>"
    );
}
