//! Which routes are said never to answer, and which are not.

use std::fmt::Write as _;
use std::io;

use crate::language::{Files, NoFiles, compile};
use crate::table::diagnostic::{File, Severity};

const SECTIONS: &str = "\
[directory.rides]
numbers = [\"+15005550006\", \"+1415*\"]
[directory.sellers]
rows = [{ number = \"+15005550001\", city = \"ny\" }, { number = \"+15005550002\", city = \"la\" }]
[directory.zones]
rows = [{ number = \"+1415*\", city = \"sf\" }, { number = \"+1*\", city = \"us\" }]
[directory.Areas]
rows = [{ number = \"+15005550001\", city = \"ny\" }, { number = \"+15005550002\", city = \"la\" }]
[directory.all]
numbers = [\"*\"]
[schedule.office]
timezone = \"UTC\"
open = [\"Mon-Fri 09:00-17:30\"]
[schedule.night]
timezone = \"UTC\"
open = [\"22:00-06:00\"]
";

/// The names and reasons of the routes that are reported. A route is written as its keys, parted by `;`; one that
/// does not say what it answers answers calls. They are named `a`, `b` and so on.
fn never(routes: &[&str]) -> Vec<String> {
    let mut text = SECTIONS.to_owned();
    for (name, keys) in ('a'..).zip(routes) {
        let reply = ["voice", "message", "create_session"];
        let says = reply.iter().any(|key| keys.contains(key));
        let default = if says { "" } else { "voice = []" };
        let keys = keys.replace(';', "\n");
        writeln!(text, "[[route]]\nname = \"{name}\"\n{keys}\n{default}")
            .expect("a String takes all");
    }
    text.push_str("[default]\nvoice = [{ Say = \"Goodbye.\" }]\n");
    match compile(&File::new("responses.toml", text.clone()), &NoFiles) {
        Ok(_) => Vec::new(),
        Err(diagnostics) => diagnostics
            .into_iter()
            .filter(|diagnostic| diagnostic.severity == Severity::Error)
            .map(|diagnostic| {
                assert_eq!(diagnostic.check.code, "never-answers", "{diagnostic:#?}");
                diagnostic.message.replace(" can never answer", "")
            })
            .collect(),
    }
}

/// The last route is covered, and no other is.
fn covered(routes: &[&str]) {
    let found = never(routes);
    let last = format!(
        "\"{}\": ",
        char::from(b'a' + u8::try_from(routes.len() - 1).expect("few"))
    );
    assert!(
        matches!(found.as_slice(), [one] if one.starts_with(&last) && one.ends_with("all that it would")),
        "{routes:#?} {found:#?}"
    );
}

/// No route is reported.
fn silent(routes: &[&str]) {
    assert_eq!(never(routes), Vec::<String>::new(), "{routes:#?}");
}

/// A route with this `when` is reported although it is alone; what is said about it.
fn impossible(when: &str) -> String {
    let found = never(&[&format!("when = {when}")]);
    assert!(matches!(found.as_slice(), [_]), "{when} {found:#?}");
    found.concat()
}

#[test]
fn an_earlier_route_that_asks_for_less_covers() {
    covered(&["", "when = { Digits = \"1\" }"]);
    covered(&[
        "when = { Called = \"+1*\" }",
        "when = { Called = \"+15005550006\" }",
    ]);
    covered(&[
        "when = { Called = \"+1*\" }",
        "when = { Called = \"+1415*\" }",
    ]);
    covered(&[
        "when = { Digits = \"*1*2\" }",
        "when = { Digits = \"9*1*3*2\" }",
    ]);
    covered(&[
        "when = { Digits = [\"1\", \"2\", \"3*\"] }",
        "when = { Digits = [\"2\", \"33\"], Called = \"+1*\" }",
    ]);
    covered(&[
        "when = { Digits = { present = true } }",
        "when = { Digits = \"1*\" }",
    ]);
    covered(&[
        "when = { Digits = { not = \"1\" } }",
        "when = { Digits = [\"\", \"2\"] }",
    ]);
    covered(&[
        "when = { Digits = { not = \"1*\" } }",
        "when = { Digits = \"2*\" }",
    ]);
    covered(&[
        "when = { Digits = { not = \"12*\" } }",
        "when = { Digits = { not = \"1*\" } }",
    ]);
    covered(&[
        "when = { Digits = { regex = '\\d' } }",
        "when = { Digits = \"x1\" }",
    ]);
    covered(&[
        "when = { SpeechResult = { regex = 'lost' } }",
        "when = { SpeechResult = { regex = 'lost' }, Digits = \"\" }",
    ]);
    covered(&[
        "when = { Body = \"lost*\" }",
        "when = { Body = \" LOST my bag\" }",
    ]);
    covered(&[
        "when = [{ Digits = \"1\" }, { Called = \"+1*\" }]",
        "when = [{ Called = \"+14155550100\" }, { Digits = \"1\", Called = \"+44*\" }]",
    ]);
    covered(&[
        "when = { Caller = { withheld = false } }",
        "when = { Caller = \"+1*\" }",
    ]);
    covered(&[
        "when = { Caller = { withheld = true } }",
        "when = { Caller = [\"\", \"Anonymous\"] }",
    ]);
}

#[test]
fn an_earlier_route_that_asks_for_something_else_does_not_cover() {
    for routes in [
        [
            "when = { Called = \"+1415*\" }",
            "when = { Called = \"+1*\" }",
        ],
        [
            "when = { Called = \"+1415*\" }",
            "when = { Called = \"+14\" }",
        ],
        [
            "when = { Digits = \"*1*2\" }",
            "when = { Digits = \"9*1*3*\" }",
        ],
        ["when = { Digits = \"1*1\" }", "when = { Digits = \"1*\" }"],
        [
            "when = { Digits = \"1\" }",
            "when = { Digits = [\"1\", \"2\"] }",
        ],
        [
            "when = { Digits = \"1\", Called = \"+1*\" }",
            "when = { Digits = \"1\" }",
        ],
        [
            "when = { Digits = { not = \"1\" } }",
            "when = { Digits = [\"1\", \"2\"] }",
        ],
        [
            "when = { Digits = { present = true } }",
            "when = { Digits = \"*\" }",
        ],
        [
            "when = { Digits = { regex = '^1' } }",
            "when = { Digits = \"1*\" }",
        ],
        [
            "when = { Digits = { regex = '^1' } }",
            "when = { Digits = { regex = '^12' } }",
        ],
        [
            "when = { SpeechResult = \"lost*\" }",
            "when = { SpeechResult = \"LOST\" }",
        ],
        ["when = { Called = \"+1\" }", "when = { To = \"+1\" }"],
        [
            "when = { Caller = { withheld = false } }",
            "when = { Caller = \"+2*\" }",
        ],
        [
            "when = { Caller = { withheld = false } }",
            "when = { Caller = \"sip:*\" }",
        ],
        [
            "when = { \"AddOns.a\" = \"1\" }",
            "when = { \"AddOns.b\" = \"1\" }",
        ],
    ] {
        silent(&routes);
    }
}

#[test]
fn directories_cover_through_their_keys() {
    covered(&[
        "when = { Called = { in = \"rides\" } }",
        "when = { Called = [\"+15005550006\", \"+14159\"] }",
    ]);
    covered(&[
        "when = { Called = { in = \"rides\" } }",
        "when = { Called = \"+14155*\" }",
    ]);
    covered(&[
        "when = { Called = { in = \"zones\" } }",
        "when = { Called = { in = \"rides\" } }",
    ]);
    covered(&[
        "when = { Called = \"+1*\" }",
        "when = { Called = { in = \"rides\" } }",
    ]);
    covered(&[
        "when = { Called = { in = \"all\" } }",
        "when = { Called = { present = false } }",
    ]);
    covered(&[
        "when = { Called = { in = \"rides\" } }",
        "when = { Called = { not = { in = \"rides\" } } }",
        "",
    ]);
    silent(&[
        "when = { Called = { in = \"rides\" } }",
        "when = { Called = { in = \"zones\" } }",
    ]);
    silent(&[
        "when = { Called = { in = \"rides\" } }",
        "when = { Called = \"+1500*\" }",
    ]);
    silent(&[
        "when = { Called = { in = \"rides\" } }",
        "when = { Caller = { in = \"rides\" } }",
    ]);
    silent(&[
        "when = { Called = \"+1*\" }",
        "when = { Called = { in = \"all\" } }",
    ]);
    // Its keys are not all that a directory with prefixes holds.
    silent(&[
        "when = { Called = { not = \"+14155550100\" } }",
        "when = { Called = { in = \"rides\" } }",
    ]);
}

#[test]
fn columns_cover_row_by_row() {
    let in_city = |directory: &str, city: &str| {
        format!("when = {{ Caller = {{ in = \"{directory}\" }}, \"{directory}.city\" = {city} }}")
    };
    let sellers = |city| in_city("sellers", city);
    let zones = |city| in_city("zones", city);
    covered(&[&sellers("\"ny\""), "when = { Caller = \"+15005550001\" }"]);
    covered(&["when = { Caller = \"+15005550001\" }", &sellers("\"n*\"")]);
    covered(&[
        &sellers("\"ny\""),
        &sellers("\"la\""),
        "when = { Caller = { in = \"sellers\" } }",
    ]);
    covered(&["when = { Caller = \"+1415*\" }", &zones("\"sf\"")]);
    covered(&[
        &zones("\"sf\""),
        &zones("\"us\""),
        "when = { Caller = { in = \"zones\" } }",
    ]);
    // Asked before the directory is: names are sorted.
    let areas = |city: &str| {
        format!("when = {{ \"Areas.city\" = \"{city}\", Caller = {{ in = \"Areas\" }} }}")
    };
    covered(&[
        &areas("ny"),
        &areas("la"),
        "when = { Caller = { in = \"Areas\" } }",
    ]);
    silent(&[&areas("ny"), &areas("la"), ""]);
    silent(&[
        &areas("ny"),
        &areas("la"),
        "when = { Caller = \"+1500555*\" }",
    ]);
    silent(&[&areas("ny"), "when = { Caller = { in = \"Areas\" } }"]);
    covered(&[
        "when = { Caller = { in = \"zones\" } }",
        &zones("{ not = \"sf\" }"),
    ]);
    silent(&[&sellers("\"ny\""), &sellers("[\"ny\", \"la\"]")]);
    silent(&[
        &sellers("\"ny\""),
        "when = { Caller = { in = \"sellers\" } }",
    ]);
    silent(&["when = { Caller = \"+1415*\" }", &zones("[\"sf\", \"us\"]")]);
    impossible("{ Caller = { in = \"sellers\" }, \"sellers.city\" = \"sf\" }");
    impossible("{ Caller = { in = \"zones\" }, \"zones.city\" = { present = false } }");
}

#[test]
fn several_routes_cover_together() {
    covered(&[
        "when = { Digits = \"1\" }",
        "when = { Digits = \"2\" }",
        "when = { Digits = [\"1\", \"2\"] }",
    ]);
    covered(&[
        "when = { Digits = \"1\", sessionStatus = \"open\" }",
        "when = { Digits = \"2\" }",
        "when = { sessionStatus = \"closed\" }",
        "when = { Digits = [\"1\", \"2\"], sessionStatus = [\"open\", \"closed\"] }",
    ]);
    covered(&[
        "when = { Digits = { present = true } }",
        "when = { Digits = { present = false } }",
        "",
    ]);
    covered(&[
        "when = { Digits = \"1*\" }",
        "when = { Digits = { not = \"1*\" }, Called = \"+1*\" }",
        "when = { Called = \"+1*\" }",
    ]);
    covered(&[
        "when = { Digits = { regex = '1' } }",
        "when = { Digits = { not = { regex = '1' } } }",
        "",
    ]);
    covered(&[
        "when = { Caller = { withheld = true } }",
        "when = { Caller = { withheld = false } }",
        "",
    ]);
    silent(&[
        "when = { Digits = \"1\", sessionStatus = \"open\" }",
        "when = { Digits = \"2\" }",
        "when = { Digits = [\"1\", \"2\"], sessionStatus = [\"open\", \"closed\"] }",
    ]);
    silent(&["when = { Digits = \"1\" }", "when = { Digits = \"2\" }", ""]);
}

#[test]
fn a_list_may_hold_what_must_not_be() {
    let route = |digits: &str| format!("when = {{ Digits = {digits} }}");
    let not_2_or_3 = route("[\"1\", { not = [\"2\", \"3\"] }]");
    covered(&[&not_2_or_3, &route("[\"1\", \"4\"]")]);
    silent(&[&not_2_or_3, &route("\"2\"")]);
    let not_from_1_or_2 = route("[\"15\", { not = [\"1*\", \"2*\"] }]");
    covered(&[&not_from_1_or_2, &route("[\"15\", \"3\"]")]);
    silent(&[&not_from_1_or_2, &route("\"1\"")]);
    let from_1_or_2 = route("{ regex = '5', not = { not = [\"1*\", \"2*\"] } }");
    covered(&[&from_1_or_2, &route("[\"15\", \"25\"]")]);
    silent(&[&from_1_or_2, &route("\"35\"")]);
    silent(&[&from_1_or_2]);
}

#[test]
fn a_text_has_no_call_sid() {
    let with_call = "when = { CallSid = { present = true } }";
    silent(&[with_call]);
    let text = format!("{with_call};message = [{{ Message = \"Hello.\" }}]");
    assert_eq!(
        never(&[&text]),
        ["\"a\": no request passes what it asks of `CallSid`"]
    );
    silent(&[&format!("{text};voice = []")]);
}

#[test]
fn where_a_caller_is_from_says_that_he_is_not_withheld() {
    covered(&[
        "when = { Caller = { withheld = false } }",
        "when = { CallerCity = \"OAKLAND\" }",
    ]);
    covered(&[
        "when = { CallerCity = { not = \"O*\" } }",
        "when = { Caller = { withheld = true } }",
    ]);
    covered(&[
        "when = { Caller = { withheld = true }, CallerCity = \"\" }",
        "when = { Caller = { withheld = false } }",
        "when = { CallerCity = { not = \"OAKLAND\" } }",
    ]);
    // An absent From is an absent Caller.
    covered(&["when = { Caller = \"\" }", "when = { From = \"\" }"]);
    silent(&[
        "when = { Caller = { withheld = false } }",
        "when = { CalledCity = \"OAKLAND\" }",
    ]);
}

#[test]
fn a_route_covers_only_where_it_says_something() {
    covered(&["voice = []", "message = []", "voice = [];message = []"]);
    covered(&["voice = [];message = []", "message = []"]);
    silent(&["voice = []", "message = []"]);
    silent(&["voice = []", "voice = [];message = []"]);
    // Only Proxy's own webhook opens sessions; the same number may also have the plain one.
    let session = "create_session = { participantIdentifier = \"+14155550123\" }";
    let calls =
        "create_session = { participantIdentifier = \"+14155550123\", mode = \"voice-only\" }";
    covered(&[session, session]);
    covered(&["voice = []", calls]);
    silent(&[session, "voice = []"]);
    silent(&[calls, session]);
}

#[test]
fn a_route_covers_only_at_its_step_and_at_its_hours() {
    covered(&[
        "step = \"s\";voice = [{ Redirect = \"?step=s\" }]",
        "step = \"s\";when = { Digits = \"1\" }",
    ]);
    covered(&[
        "during = \"office\"",
        "during = \"office\";when = { Digits = \"1\" }",
    ]);
    covered(&["during = [\"office\", \"night\"]", "during = \"night\""]);
    covered(&["during = \"office\"", "outside = \"office\"", ""]);
    covered(&[
        "during = \"office\"",
        "outside = [\"office\", \"night\"]",
        "during = \"night\"",
        "",
    ]);
    silent(&["step = \"s\";voice = [{ Redirect = \"?step=s\" }]", ""]);
    silent(&["", "step = \"s\";voice = [{ Redirect = \"?step=s\" }]"]);
    silent(&["during = \"office\"", ""]);
    silent(&["during = \"office\"", "during = \"night\""]);
    silent(&["during = \"office\"", "outside = \"night\"", ""]);
    assert_eq!(
        never(&["during = \"office\";outside = [\"night\", \"office\"]"]),
        ["\"a\": it is to be open both during and outside \"office\""]
    );
    silent(&["during = [\"office\", \"night\"];outside = \"office\""]);
}

#[test]
fn conditions_that_exclude_each_other_are_found() {
    assert_eq!(
        impossible("{ Direction = { present = false } }"),
        "\"a\": no request passes what it asks of `Direction`"
    );
    assert_eq!(
        impossible("{ Caller = { withheld = true }, CallerCountry = \"US\" }"),
        "\"a\": what it asks of `CallerCountry` cannot hold beside its other conditions"
    );
    for when in [
        "{ Direction = \"\" }",
        "{ Direction = { not = { not = \"\" } } }",
        "{ Digits = { present = false, not = \"\" } }",
        "{ Digits = { present = true, not = [\"1\", { present = true }] } }",
        "{ Digits = { regex = '^1', not = { regex = '^1' } } }",
        "{ Body = { present = false, not = \"\" } }",
        "{ Called = \"\", To = \"+15005550006\" }",
        "{ ToCountry = \"US\", CalledCountry = { present = false } }",
        "{ FromCity = \"OAKLAND\", Caller = \"anonymous\" }",
        "{ CallerZip = \"94103\", From = \"\" }",
        "{ Caller = { withheld = false, present = false } }",
        "{ Called = { in = \"rides\", not = \"+1*\" } }",
        "{ Called = { in = \"rides\", not = { in = \"zones\" } } }",
        "{ Called = { withheld = true, in = \"rides\" } }",
        "[{ Direction = \"\" }, { Digits = { not = \"*\" } }]",
    ] {
        impossible(when);
    }
}

#[test]
fn conditions_that_may_hold_together_are_left_alone() {
    for when in [
        // Both were sent: an alias is read only in place of what is absent.
        "{ Called = \"+15005550006\", To = \"+15005550007\" }",
        "{ CalledCountry = \"US\", ToCountry = \"MX\" }",
        "{ Called = \"\", To = { present = false } }",
        // It is the Caller who is withheld or not, whatever is in From.
        "{ From = \"anonymous\", CallerCountry = \"US\" }",
        "{ Caller = { withheld = true }, CalledCountry = \"US\" }",
        "{ Caller = { withheld = true }, CallerCountry = \"\" }",
        "{ Caller = \"+2*\", CallerCountry = \"UG\" }",
        "{ Caller = { withheld = true, present = true } }",
        "{ Body = \"lost*\", MessageSid = \"SM1\" }",
        "{ \"AddOns.a\" = \"1\", AddOns = { present = false } }",
        "{ Called = { in = \"rides\", not = \"+15005550006\" } }",
        "[{ Direction = \"\" }, { Digits = \"1\" }]",
    ] {
        silent(&[&format!("when = {when}")]);
    }
}

/// What is said of a table whose directory `rides` stands in a file; the severity and the message.
fn with_file(rows: &'static str, routes: &str) -> Vec<(Severity, String)> {
    struct Rides(&'static str);
    impl Files for Rides {
        fn read(&self, _path: &str) -> io::Result<Vec<u8>> {
            Ok(self.0.into())
        }
    }
    let text = format!(
        "[directory.rides]\nfile = \"rides.csv\"\n{routes}[default]\nvoice = [{{ Say = \"Goodbye.\" }}]\n"
    );
    let diagnostics = match compile(&File::new("responses.toml", text), &Rides(rows)) {
        Ok(compiled) => compiled.warnings,
        Err(diagnostics) => diagnostics,
    };
    let never = diagnostics
        .into_iter()
        .filter(|diagnostic| diagnostic.check.code == "never-answers");
    never
        .map(|diagnostic| (diagnostic.severity, diagnostic.message))
        .collect()
}

#[test]
fn what_is_up_to_the_rows_of_a_file_is_a_warning() {
    let in_rides = "[[route]]\nname = \"a\"\nwhen = { Called = { in = \"rides\" } }\nvoice = []\n";
    let one = "[[route]]\nname = \"b\"\nwhen = { Called = \"+15005550006\" }\nvoice = []\n";
    let same = in_rides.replace("\"a\"", "\"b\"");
    let covered = "\"b\" can never answer: \"a\" in line 4 answers all that it would".to_owned();
    assert_eq!(
        with_file("number\n+15005550006\n", &format!("{in_rides}{one}")),
        [(Severity::Warning, covered.clone())]
    );
    assert_eq!(
        with_file("number\n+15005550007\n", &format!("{in_rides}{one}")),
        []
    );
    assert_eq!(
        with_file("number\n+15005550006\n", &format!("{in_rides}{same}")),
        [(Severity::Error, covered)]
    );
    let nobody = "\"a\" can never answer: no request passes what it asks of `Called`".to_owned();
    assert_eq!(
        with_file("number\n", in_rides),
        [(Severity::Warning, nobody)]
    );
}

#[test]
fn what_covers_is_named_with_its_line() {
    let first = "when = { Called = \"+1*\" }";
    let line = super::lines_of(SECTIONS, std::slice::from_ref(&(SECTIONS.len()..0)))[0] + 1;
    assert_eq!(
        never(&[
            first,
            "when = { Called = \"+14*\" }",
            "when = { Called = \"+141*\" }"
        ]),
        [
            // A route that never answers covers nothing.
            format!("\"b\": \"a\" in line {line} answers all that it would"),
            format!("\"c\": \"a\" in line {line} answers all that it would"),
        ]
    );
    let digit = |digit: u32| format!("when = {{ Digits = \"{digit}\" }}");
    let digits: Vec<String> = (1..=5).map(digit).collect();
    let mut routes: Vec<&str> = digits.iter().map(String::as_str).collect();
    routes.push("when = { Digits = [\"1\", \"2\", \"3\", \"4\", \"5\"] }");
    routes.push("when = { Digits = [\"5\", \"1\"] }");
    let lines: Vec<usize> = (0..5).map(|route| line + route * 4).collect();
    assert_eq!(
        never(&routes),
        [
            format!(
                "\"f\": \"a\" in line {}, \"b\" in line {}, \"c\" in line {} and 2 more routes together answer all that it would",
                lines[0], lines[1], lines[2]
            ),
            format!(
                "\"g\": \"a\" in line {} and \"e\" in line {} together answer all that it would",
                lines[0], lines[4]
            ),
        ]
    );
}

#[test]
fn one_pinned_route_is_found_among_many() {
    let mut text = String::new();
    for number in 0..20_000 {
        let called = if number % 2 == 0 {
            format!("[\"+1500{number:07}\", \"+1501{number:07}\"]")
        } else {
            format!("\"+1500{number:07}\"")
        };
        writeln!(
            text,
            "[[route]]\nname = \"r{number}\"\nwhen = {{ Called = {called} }}\nvoice = []"
        )
        .expect("a String takes all");
    }
    text.push_str(
        "[[route]]\nname = \"again\"\nwhen = { Called = \"+15000019999\" }\nvoice = []\n",
    );
    text.push_str("[default]\nvoice = [{ Say = \"Goodbye.\" }]\n");
    let diagnostics = compile(&File::new("responses.toml", text), &NoFiles).expect_err("one");
    assert_eq!(
        diagnostics[0].message,
        "\"again\" can never answer: \"r19999\" in line 79998 answers all that it would"
    );
}
