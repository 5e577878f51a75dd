//! Regression tests: cases that once broke a rule of the table.

use super::*;

#[test]
fn a_word_of_a_body_finds_its_row_in_any_case() {
    let table = table(
        "[directory.words]\nkey = \"word\"\nrows = [{ word = \"lost\", desk = \"A\" }, { word = \"FOUND\", desk = \"B\" }, { word = \"price*\", desk = \"C\" }]\n\
         [[route]]\nname = \"known\"\nwhen = { Body = { in = \"words\" }, \"words.desk\" = [\"A\", \"B\", \"C\"] }\n\
         message = [{ Message = \"Desk {{ words.desk }}.\" }]\n",
    );
    for (body, said) in [
        ("lost", "Desk A."),
        (" Lost\n", "Desk A."),
        ("found", "Desk B."),
        ("Found", "Desk B."),
        ("PRICES", "Desk C."),
        ("other", "No number."),
    ] {
        let heard = text(&[("Body", body)]).answered(&table);
        assert!(heard.body.contains(said), "{body:?}: {heard:?}");
    }
}

#[test]
fn the_largest_limit_of_returns_lets_calls_through() {
    for limit in ["4294967295", "4294967294"] {
        let fine = compile(
            &File::new(
                "responses.toml",
                format!(
                    "[loop_guard]\nsame_call = {limit}\n[[route]]\nname = \"r\"\nvoice = []\n{DEFAULT}"
                ),
            ),
            &InPlace::default(),
        );
        // Either the table is refused, or it keeps its limit.
        if let Ok(compiled) = fine {
            assert_eq!(call(&[]).route(&compiled.table), "r", "{limit}");
        }
    }
}

#[test]
fn a_pair_that_has_long_been_talking_is_still_counted() {
    // The guard remembers 32 replies; when it is full, suppressed ones must not push out recent ones.
    for slow in 28..40_usize {
        let (table, guard) = (talker(""), LoopGuard::new());
        let day = |n: usize| 1_000 * i64::try_from(n).expect("few");
        for n in 0..slow {
            assert!(!is_silenced(&nth(n, day(n)).heard(&table, &guard)), "{n}");
        }
        let sent = (0..40)
            .filter(|n| !is_silenced(&nth(100 + n, day(slow)).heard(&table, &guard)))
            .count();
        assert_eq!(sent, 3, "after {slow} slow replies");
    }
}

#[test]
fn a_default_that_stands_in_for_a_broken_reply_is_counted_too() {
    let table = table(
        "[[route]]\nname = \"broken\"\nmessage = [{ Message = \"x\", from = \"{{ To }}\", to = \"{{ From }}\" }]\n",
    );
    let guard = LoopGuard::new();
    let heard: Vec<Heard> = (0..10)
        .map(|n| {
            let sid = format!("SM{n}");
            let pairs = [
                ("MessageSid", sid.as_str()),
                ("To", "+1 500"),
                ("From", "sip:a b"),
            ];
            text(&pairs).heard(&table, &guard)
        })
        .collect();
    assert!(heard[0].failed, "{:?}", heard[0]);
    assert_eq!(heard.iter().filter(|heard| !is_silenced(heard)).count(), 3);
}

#[test]
fn texts_without_sid_and_token_are_counted() {
    let (table, guard) = (talker(""), LoopGuard::new());
    let sent = (0..10)
        .filter(|n| {
            let text = Callback::new(&[
                ("Body", "hi"),
                ("From", "+14155550100"),
                ("To", "+15005550006"),
            ]);
            !is_silenced(&text.at(after(*n)).heard(&table, &guard))
        })
        .count();
    assert_eq!(sent, 3);
}

#[test]
fn of_a_flood_within_a_second_the_newest_stay() {
    let (table, guard) = (talker("[loop_guard]\nreplies = 1\n"), LoopGuard::new());
    let ask = |pair: u32, seconds: i64| {
        let from = format!("+1415{pair:07}");
        let sid = format!("SM{seconds}-{pair}");
        let callback = text(&[("From", &from), ("MessageSid", &sid)]).at(after(seconds));
        !is_silenced(&callback.heard(&table, &guard))
    };
    for pair in 0..50_000 {
        ask(pair, 0);
    }
    let remembered = (49_000..50_000).filter(|pair| !ask(*pair, 1)).count();
    assert!(remembered >= 950, "{remembered} of 1000");
}

#[test]
fn a_pair_that_is_new_after_the_clock_was_set_back_is_remembered() {
    let (table, guard) = (talker("[loop_guard]\nreplies = 1\n"), LoopGuard::new());
    let ask = |pair: u32, n: u32, seconds: i64| {
        let from = format!("+1415{pair:07}");
        let sid = format!("SM{n}");
        let callback = text(&[("From", &from), ("MessageSid", &sid)]).at(after(seconds));
        !is_silenced(&callback.heard(&table, &guard))
    };
    for pair in 0..100_000 {
        ask(pair, 0, 0);
    }
    // An hour back: new pairs count as newer than all of those.
    for pair in 200_000..202_000 {
        ask(pair, 1, -3600);
    }
    let remembered = (200_000..202_000)
        .filter(|pair| !ask(*pair, 2, -3599))
        .count();
    assert!(remembered >= 1_900, "{remembered} of 2000");
}

#[test]
fn an_attribute_of_extra_may_have_a_default() {
    let table = table(
        "[extra]\nDial = [\"newAttribute\"]\n[defaults.Dial]\nnewAttribute = \"yes\"\n\
         [[route]]\nname = \"r\"\nvoice = [{ Dial = \"+14155550101\" }]\n",
    );
    holds(&call(&[]).answered(&table).body, &["newAttribute=\"yes\""]);
}

#[test]
fn a_test_finds_a_text_as_people_write_it() {
    let compiled = compiled(
        "[[route]]\nname = \"r\"\nvoice = [{ Say = \"It's \\\"over\\\", Ann & Bob.\" }]\n\
         [[test]]\nname = \"1\"\nexpect = \"r\"\ncontains = \"It's \\\"over\\\", Ann & Bob.\"\n\
         [[test]]\nname = \"2\"\nexpect = \"r\"\ncontains = \"Ann &amp; Bob.</Say>\"\n",
        &[],
    );
    assert_eq!(compiled.failed_tests, []);
}

#[test]
fn a_test_that_the_guard_answers_reaches_no_route() {
    let compiled = compiled(
        "[[route]]\nname = \"r\"\nmessage = []\n\
         [[test]]\nname = \"1\"\nrequest = { Body = \"STOP\" }\nexpect = \"loop-guard\"\n",
        &[],
    );
    assert_eq!(compiled.coverage().routes, ["r"]);
}

/// The codes of a table that must not compile.
fn codes(text: &str, files: &[(&'static str, &'static str)]) -> Vec<String> {
    let text = format!("{text}{DEFAULT}");
    let file = File::new("responses.toml", text.as_str());
    let diagnostics = match compile(&file, &InPlace(files.iter().copied().collect())) {
        Ok(compiled) => compiled.warnings,
        Err(diagnostics) => diagnostics,
    };
    diagnostics
        .iter()
        .map(|diagnostic| {
            format!(
                "{}[{}]",
                diagnostic.severity.as_str(),
                diagnostic.check.code
            )
        })
        .collect()
}

#[test]
fn the_cells_of_a_session_are_checked_like_those_of_a_dial() {
    let found = codes(
        "[directory.d]\nrows = [{ number = \"+15005550001\", phone = \"5550101\", line = \"client:a\" }, { number = \"+15005550002\" }]\n\
         [[route]]\nname = \"r\"\nwhen = { Called = { in = \"d\" } }\n\
         create_session = { participantIdentifier = \"{{ d.phone }}\", participantProxyIdentifier = \"{{ d.line }}\" }\n",
        &[],
    );
    // A wrong number, a wrong line, and a row without the number that every session needs.
    assert_eq!(found, ["error[bad-cell]"; 3]);
}

#[test]
fn a_quote_that_nobody_closes_does_not_swallow_rows() {
    let route = "[directory.d]\nfile = \"d.csv\"\n[[route]]\nname = \"r\"\nwhen = { Called = { in = \"d\" } }\nvoice = []\n";
    let csv = "number,name\n+15005550001,\"Ann\n+15005550002,Bob\n+15005550003,Eve\n";
    assert_eq!(codes(route, &[("d.csv", csv)]), ["error[bad-row]"]);
}

#[test]
fn a_misspelt_directory_is_an_error_in_a_template() {
    let rows = "[directory.sellers]\nrows = [{ number = \"+15005550001\", name = \"Ann\" }]\n\
                [[route]]\nname = \"r\"\nwhen = { Called = { in = \"sellers\" } }\n";
    for reply in [
        "voice = [{ Say = \"{{ seller.name }}\" }]\n",
        "voice = [{ Dial = \"{{ seller.name }}\" }]\n",
    ] {
        assert_eq!(
            codes(&format!("{rows}{reply}"), &[]),
            ["error[unknown-directory]"],
            "{reply}"
        );
    }
    let found = codes(
        &rows.replace("} }\n", "}, \"seller.name\" = \"Ann\" }\nvoice = []\n"),
        &[],
    );
    assert_eq!(found, ["error[unknown-directory]"]);
}

#[test]
fn one_unknown_column_is_one_diagnostic() {
    let found = codes(
        "[directory.sellers]\nrows = [{ number = \"+15005550001\", name = \"Ann\" }]\n\
         [[route]]\nname = \"r\"\nwhen = { Called = { in = \"sellers\" } }\nvoice = [{ Dial = \"{{ sellers.phone }}\" }]\n",
        &[],
    );
    assert_eq!(found, ["error[unknown-column]"]);
}

#[test]
fn a_default_attribute_from_a_directory_needs_its_row_everywhere() {
    let found = codes(
        "[directory.languages]\nkey = \"c\"\nrows = [{ c = \"*\", voice = \"Polly.Joanna-Neural\" }]\n\
         [defaults.Say]\nvoice = \"{{ languages.voice }}\"\n\
         [[route]]\nname = \"bound\"\nwhen = { CallerCountry = { in = \"languages\" } }\nvoice = [{ Say = \"Hello.\", loop = 2 }]\n\
         [[route]]\nname = \"unbound\"\nwhen = { Digits = \"1\" }\nvoice = [{ Say = \"Hello.\" }]\n\
         [[route]]\nname = \"own\"\nvoice = [{ Say = \"Hello.\", voice = \"Polly.Joanna-Neural\" }]\n",
        &[],
    );
    // [default]'s own Say is already refused; the route "unbound" must be refused, too.
    assert!(
        found.contains(&"error[unbound-directory]".to_owned()),
        "{found:?}"
    );
}

#[test]
fn a_number_with_a_blank_before_it_is_none() {
    let found = codes(
        "[directory.d]\nfile = \"d.csv\"\n\
         [[route]]\nname = \"r\"\nwhen = { Called = { in = \"d\" }, Caller = \" +14155550100\" }\nvoice = []\n",
        &[("d.csv", "name,number\nAnn, +15005550001\n")],
    );
    assert_eq!(found, ["error[bad-number]"; 2]);
}

#[test]
fn a_quote_inside_a_cell_is_a_character_like_any_other() {
    let text = format!(
        "[directory.d]\nfile = \"d.csv\"\n\
         [[route]]\nname = \"r\"\nwhen = {{ Called = {{ in = \"d\" }} }}\nvoice = [{{ Dial = \"{{{{ d.phone }}}}\" }}]\n{DEFAULT}"
    );
    let csv = "number,name,phone\n+15005550001,6\" pipe,12345\n+15005550002,Bob,+14155550101\n";
    let file = File::new("responses.toml", text);
    let files = InPlace([("d.csv", csv)].into_iter().collect());
    let diagnostics = compile(&file, &files).expect_err("a cell is wrong");
    let places: Vec<&str> = diagnostics
        .iter()
        .map(|diagnostic| &csv[diagnostic.span.clone()])
        .collect();
    assert_eq!(places, ["12345"]);
}

#[test]
fn a_byte_order_mark_does_not_shift_the_caret() {
    let text = format!(
        "[directory.d]\nfile = \"d.csv\"\n[[route]]\nname = \"r\"\nwhen = {{ Called = {{ in = \"d\" }} }}\nvoice = []\n{DEFAULT}"
    );
    let file = File::new("responses.toml", text);
    let files = InPlace(
        [("d.csv", "\u{feff}number,name,name\n")]
            .into_iter()
            .collect(),
    );
    let diagnostics = compile(&file, &files).expect_err("a column is there twice");
    let first = &diagnostics[0];
    assert_eq!(first.file.position(first.span.start), (1, 13));
}

#[test]
fn a_number_in_another_base_is_that_number() {
    let table = talker("[loop_guard]\nreplies = 0x2\nsame_call = 0b10\n");
    assert_eq!((table.limits.replies, table.limits.same_call), (2, 2));
    let heard = call(&[("Called", "+15005550001")]).answered(&session(
        "participantIdentifier = \"+14155550123\", ttl = 0x10",
    ));
    holds(&heard.body, &["\"ttl\":16"]);
}

#[test]
fn a_broken_span_is_not_also_never_open() {
    let found = codes(
        "[schedule.s]\ntimezone = \"Europe/Berlin\"\nopen = [\"Mon-Fri 9-17\"]\n[[route]]\nname = \"r\"\nduring = \"s\"\nvoice = []\n",
        &[],
    );
    assert_eq!(found, ["error[bad-schedule]"]);
}

#[test]
fn what_is_wrong_with_a_test_is_said_with_everything_else() {
    let found = codes(
        "[[route]]\nname = \"r\"\nvoice = [{ say = \"x\" }]\n[[test]]\nnam = \"1\"\nexpect = \"r\"\n",
        &[],
    );
    assert!(
        found.contains(&"error[unknown-key]".to_owned()),
        "{found:?}"
    );
}

#[test]
fn a_file_that_is_missing_is_one_diagnostic() {
    let found = codes(
        "[directory.d]\nfile = \"none.csv\"\n\
         [[route]]\nname = \"r\"\nwhen = { Called = { in = \"d\" }, \"d.city\" = \"ny\" }\n\
         voice = [{ Say = \"{{ d.name }}\" }, { Dial = \"{{ d.phone }}\" }]\n",
        &[],
    );
    assert_eq!(found, ["error[bad-file]"]);
}

#[test]
fn a_message_that_is_left_out_is_not_counted() {
    let table =
        table("[[route]]\nname = \"echo\"\nmessage = [{ Message = \"{{ ProfileName }}\" }]\n");
    let guard = LoopGuard::new();
    for n in 0..10 {
        let heard = nth(n, 0).heard(&table, &guard);
        assert_eq!(heard.route, "echo", "{n}: {heard:?}");
    }
}

#[test]
fn a_file_full_of_one_mistake_is_not_as_many_diagnostics() {
    let mut csv = String::from("number,name,phone\n");
    for n in 0..5_000 {
        csv.push_str("1500555");
        csv.push_str(&n.to_string());
        csv.push_str(",Ann,5550100\n");
    }
    let csv: &'static str = Box::leak(csv.into_boxed_str());
    let found = codes(
        "[directory.d]\nfile = \"d.csv\"\n\
         [[route]]\nname = \"r\"\nwhen = { Called = { in = \"d\" } }\nvoice = [{ Dial = \"{{ d.phone }}\" }]\n",
        &[("d.csv", csv)],
    );
    // A thousand of each, and the last one counts the rest.
    assert_eq!(found.len(), 2_000);
}
