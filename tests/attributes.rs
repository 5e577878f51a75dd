//! Everything that TwiML allows must pass without a diagnostic: every voice in our list, and the examples of public
//! projects. Other values have a fix where there is no doubt.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use twiml_responder::language::{NoFiles, compile};
use twiml_responder::table::diagnostic::{Diagnostic, File, Fix};
use twiml_responder::twilio::channel::Channel;
use twiml_responder::twilio::vocabulary::{child_of, response};

const DEFAULT: &str = "[default]\nvoice = [{ Say = \"Goodbye.\" }]\n";

fn file(text: &str) -> Arc<File> {
    File::new("responses.toml", text)
}

/// All diagnostics of a table.
fn diagnostics(text: &str) -> Vec<Diagnostic> {
    match compile(&file(text), &NoFiles) {
        Ok(compiled) => [compiled.warnings, compiled.failed_tests].concat(),
        Err(diagnostics) => diagnostics,
    }
}

#[test]
fn every_voice_speaks_some_language_without_a_word() {
    let say = child_of(Channel::Voice, response(Channel::Voice), "Say").expect("a verb");
    let values = |name| &say.attribute(name).expect("an attribute").1.values;
    let verbs = |voice: &str, language: &str| {
        format!("  {{ Say = \"Hello.\", voice = \"{voice}\", language = \"{language}\" }},\n")
    };
    // All languages at once, one per line; only those that a voice does not speak get a diagnostic.
    let mut mute = Vec::new();
    for voice in values("voice") {
        let lines: String = values("language")
            .iter()
            .map(|one| verbs(voice, one))
            .collect();
        let text = format!("[[route]]\nname = \"voices\"\nvoice = [\n{lines}]\n{DEFAULT}");
        if diagnostics(&text).len() >= values("language").len() {
            mute.push(*voice);
        }
    }
    assert!(mute.is_empty(), "{mute:?}");
}

/// The tables in `tables/samples`: TwiML from the documentation of public projects, retyped.
#[test]
fn what_public_projects_show_passes_without_a_word() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tables/samples");
    let mut count = 0;
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("a table in UTF-8");
        let said: Vec<String> = diagnostics(&text)
            .iter()
            .map(|one| one.message.clone())
            .collect();
        assert!(said.is_empty(), "{}: {said:#?}", path.display());
        count += 1;
    }
    assert!(count >= 3, "{count} samples");
}

#[test]
fn what_is_misspelt_beyond_doubt_is_mended_by_its_fix() {
    for (written, mended) in [
        (
            "{ Dial = \"+15005550006\", timeOut = 20 }",
            Some("{ Dial = \"+15005550006\", timeout = 20 }"),
        ),
        (
            "{ Dial = \"+15005550006\", timout = 20 }",
            Some("{ Dial = \"+15005550006\", timeout = 20 }"),
        ),
        ("{ say = \"Hello.\" }", Some("{ Say = \"Hello.\" }")),
        ("{ Hangpu = \"\" }", Some("{ Hangup = \"\" }")),
        (
            "{ Say = [{ lang = \"a\", \"XML:lang\" = \"de-DE\" }] }",
            Some("{ Say = [{ lang = \"a\", \"xml:lang\" = \"de-DE\" }] }"),
        ),
        (
            "{ Reject = \"\", reason = \"Busy\" }",
            Some("{ Reject = \"\", reason = \"busy\" }"),
        ),
        (
            "{ Dial = \"+15005550006\", answerOnBridge = \"True\" }",
            Some("{ Dial = \"+15005550006\", answerOnBridge = \"true\" }"),
        ),
        (
            "{ Say = \"Hello.\", voice = \"polly.joanna\" }",
            Some("{ Say = \"Hello.\", voice = \"Polly.Joanna\" }"),
        ),
        (
            "{ Gather = \"\", input = \"DTMF,speech\", action = \"https://example.com/a\" }",
            Some("{ Gather = \"\", input = \"dtmf speech\", action = \"https://example.com/a\" }"),
        ),
        (
            "{ Dial = \"(500) 555-0006\" }",
            Some("{ Dial = \"+15005550006\" }"),
        ),
        (
            "{ Dial = \"+49 30 123456\" }",
            Some("{ Dial = \"+4930123456\" }"),
        ),
        (
            "{ Dial = [{ Sip = \"desk@example.com\" }] }",
            Some("{ Dial = [{ Sip = \"sip:desk@example.com\" }] }"),
        ),
        (
            "{ Say = \"Hello { CallerCity }.\" }",
            Some("{ Say = \"Hello {{ CallerCity }}.\" }"),
        ),
        (
            "{ Say = \"Acme &amp; Sons\" }",
            Some("{ Say = \"Acme & Sons\" }"),
        ),
        (
            "{ Redirect = \"?Step=a\" }",
            Some("{ Redirect = \"?step=a\" }"),
        ),
        // These need a decision by a person.
        ("{ Dial = \"+15005550006\", colour = 1 }", None),
        ("{ Dial = \"+44 (0)20 7946 0018\" }", None),
        ("{ Dial = \"555-0006\" }", None),
        ("{ Say = \"Hola.\", language = \"es\" }", None),
        ("{ Say = \"Hello { name }.\" }", None),
        ("{ Say = \"Hello { CallerCity }, \\u0041cme.\" }", None),
    ] {
        let table = |verb: &str| {
            format!(
                "[[route]]\nname = \"a\"\nvoice = [{verb}]\n[[route]]\nname = \"b\"\nstep = \"a\"\nvoice = []\n{DEFAULT}"
            )
        };
        let text = table(written);
        let found = diagnostics(&text);
        let fixes: Vec<&Fix> = found.iter().filter_map(|one| one.fix.as_ref()).collect();
        let Some(mended) = mended else {
            assert!(
                !found.is_empty() && fixes.is_empty(),
                "{written}: {found:?}"
            );
            continue;
        };
        let [fix] = fixes.as_slice() else {
            panic!("{written}: {found:?}");
        };
        let mut after = text.clone();
        after.replace_range(fix.span.clone(), &fix.text);
        assert_eq!(after, table(mended));
        let left: Vec<Diagnostic> = diagnostics(&after)
            .into_iter()
            .filter(|one| one.check.code != "unreached-step")
            .collect();
        assert!(left.is_empty(), "{mended}: {left:?}");
    }
}
