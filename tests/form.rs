//! Property tests: a form is parsed exactly as `serde_urlencoded` parses it.

use proptest::prelude::*;
use twiml_responder::twilio::request::Form;

/// The result of `serde_urlencoded` for these bytes.
fn oracle(bytes: &[u8]) -> Vec<(String, String)> {
    serde_urlencoded::from_bytes(bytes).expect("every text is a form")
}

fn pairs(form: &Form) -> Vec<(String, String)> {
    form.pairs()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Pieces from which every odd form can be assembled.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => "[A-Za-z0-9]{0,40}".prop_map(String::into_bytes),
        2 => prop::sample::select(vec![
            "&", "=", "+", "%", ";", "%2", "%zz", "%2B", "%2b", "%26", "%3D", "%25", "%00", "%+1", "%%41",
            "%C3%A9", "%C3", "%A9", "%F0%9F%91%8B", "%ED%A0%80", "\u{e9}", "\0", "\r\n",
        ]).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..6),
    ]
}

proptest! {
    #[test]
    fn a_form_is_what_serde_urlencoded_makes_of_it(
        bytes in prop::collection::vec(piece(), 0..40).prop_map(|pieces| pieces.concat()),
    ) {
        let form = Form::parse(&bytes);
        let expected = oracle(&bytes);
        prop_assert_eq!(pairs(&form), expected.clone());
        prop_assert_eq!(&form, &expected.iter().map(|(n, v)| (n, v)).collect::<Form>());
        for (name, _) in &expected {
            let first = expected.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str());
            prop_assert_eq!(form.first(name), first);
        }
    }

    #[test]
    fn any_bytes_are_a_form(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(pairs(&Form::parse(&bytes)), oracle(&bytes));
    }
}

#[test]
fn odd_forms_are_read_alike() {
    for bytes in [
        &b""[..],
        b"&",
        b"=",
        b"==",
        b"a",
        b"a=&=b&&c",
        b"a=b=c&a=b",
        b"%",
        b"%a=%",
        b"%4=%4&",
        b"%+1=+%+",
        b"%2541=%2b%2B",
        b"a;b=c;d",
        b"\xff=%ff",
        // Half a character in the name, the other half in the value or in the next field.
        b"%C3=%A9",
        b"a=%C3&%A9=b",
        b"\xc3=\xa9&x=y",
        b"a=%F0%9F&b=%91%8B",
        b"%EF%BB%BFa=b",
    ] {
        assert_eq!(pairs(&Form::parse(bytes)), oracle(bytes), "{bytes:?}");
    }
}
