//! Every signature in the tests of Twilio's own libraries, and what must be true of all signatures.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::Value;
use twiml_responder::twilio::request::Form;
use twiml_responder::twilio::signature::diagnosis::{Hints, diagnose};
use twiml_responder::twilio::signature::secrets::Secrets;
use twiml_responder::twilio::signature::{
    Algorithm, Content, Failure, Secret, Signed, Signer, sign, verify,
};

/// Collected from the libraries' tests and recomputed with two of them; `_meta` says which.
const VECTORS: &str = include_str!("data/signature-vectors.json");

/// Signatures that the original library accepts and we do not.
const REFUSED_HERE: [&str; 1] = [
    // A raw apostrophe that was signed as %27. Only Node's library tries that; the Python one, which we follow, takes
    // the query byte for byte.
    "query_special_characters",
];

fn vectors() -> Vec<Value> {
    vectors_of("vectors")
}

fn vectors_of(kind: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(VECTORS).expect("the vectors are JSON");
    file[kind]
        .as_array()
        .expect("the vectors are an array")
        .clone()
}

/// The id of a vector as a test name.
fn name(vector: &Value) -> String {
    text(vector, "id").replace('-', "_").to_ascii_lowercase()
}

fn text<'a>(vector: &'a Value, field: &str) -> &'a str {
    vector[field].as_str().expect(field)
}

fn form(vector: &Value) -> Option<Form> {
    let pairs = vector["params"].as_array()?;
    Some(
        pairs
            .iter()
            .map(|pair| {
                (
                    pair[0].as_str().expect("a name"),
                    pair[1].as_str().expect("a value"),
                )
            })
            .collect(),
    )
}

fn check(wanted: &str) {
    let vector = vectors()
        .into_iter()
        .find(|vector| name(vector) == wanted)
        .expect("a vector of this name");
    let form = form(&vector);
    let content = match &form {
        Some(form) => Content::Form(form),
        None => Content::Bytes(text(&vector, "body").as_bytes()),
    };
    let signed = Signed {
        signer: Signer::Twilio,
        signature: Some(text(&vector, "signature")),
        settings: None,
        account_sid: "",
        content,
    };
    let token = text(&vector, "token");
    let secrets = Secrets::parse(token).expect("a token");
    let accepted = verify(&secrets, &[text(&vector, "url")], &signed).is_ok();

    let library = vector["accept"].as_bool().expect("a verdict");
    assert_eq!(accepted, library && !REFUSED_HERE.contains(&wanted));

    // Where the libraries agree, the signed URL is known, and we make the same signature.
    if let Some(url) = vector["signed_url"].as_str() {
        let signature = sign(&Secret::new(token), Algorithm::HmacSha1, url, content);
        assert_eq!(signature, text(&vector, "signature"));
    }
}

macro_rules! vectors {
    ($($id:ident)*) => {
        $(
            #[test]
            fn $id() {
                check(stringify!($id));
            }
        )*

        #[test]
        fn every_vector_has_its_test() {
            let names: Vec<String> = vectors().iter().map(name).collect();
            assert_eq!(names, [$(stringify!($id)),*]);
        }
    };
}

vectors! {
    basic_post
    wrong_signature
    wrong_signature_2
    signature_missing
    https_port_stripped
    https_custom_port_kept
    http_port_kept
    https_443_added
    http_80_added
    json_body_hash
    json_body_hash_only_query
    json_empty_object_body
    json_without_bodysha256
    json_hash_truncated
    userinfo_user_pass
    userinfo_user
    userinfo_user_pass_443
    userinfo_user_443
    query_special_characters
    array_parameter
    array_parameter_other_order
    duplicates_sorted_deduplicated
    prefix_names_order
    prefix_names_wrong_order
    go_http
    go_http_port_1234
    go_form_body
    no_params
    no_query
    extra_query
    percent_encoded_query
    special_characters_and_unicode_values
    empty_values
    null_values_as_empty
    sorting
    unicode_url
    case_sensitive_names
    double_slash_443
    mixed_case_host
    mixed_case_host_port
    mixed_case_host_http
    mixed_case_userinfo_http
    upper_case_scheme
    mixed_case_credentials
    mixed_case_host_signed_lower_https
    mixed_case_host_signed_lower_https_port
    mixed_case_host_signed_lower_http
    rack_form
    rack_form_bad
    rack_json
    rack_json_body_mismatch
    docs_security_page
}

#[test]
fn signalwires_signatures_are_accepted_with_its_keys_alone() {
    let vectors = vectors_of("signalwire");
    assert_eq!(vectors.len(), 3);
    for vector in &vectors {
        let form = form(vector).expect("a form");
        let key = text(vector, "token");
        let verdict = |signer, file: &str, settings| {
            let signed = Signed {
                signer,
                signature: Some(text(vector, "signature")),
                settings,
                account_sid: form.first("AccountSid").unwrap_or_default(),
                content: Content::Form(&form),
            };
            let secrets = Secrets::parse(file).expect(file);
            verify(&secrets, &[text(vector, "url")], &signed)
        };
        let signalwires = format!("signalwire {key}");
        let with_others = format!("0123456789abcdef\nsignalwire other\n{signalwires}");
        // The settings header applies only to Twilio's signatures.
        for settings in [None, Some("key=x,algorithm=HMAC_SHA256")] {
            for file in [&signalwires, &with_others] {
                let accepted = verdict(Signer::SignalWire, file, settings);
                assert_eq!(accepted, Ok(0), "{}", text(vector, "id"));
            }
        }
        let as_token = format!("0{key}\nwebhooks_sharedkey_1 {key}");
        for (signer, file) in [
            (Signer::Twilio, &signalwires),
            (Signer::Twilio, &with_others),
            (Signer::SignalWire, &as_token),
            (Signer::SignalWire, &format!("signalwire {key}0")),
        ] {
            assert_eq!(verdict(signer, file, None), Err(Failure::Mismatch));
        }
        let named = Some("key=webhooks_sharedkey_1");
        assert_eq!(verdict(Signer::Twilio, &as_token, named), Ok(0));
        assert_eq!(
            verdict(Signer::SignalWire, &as_token, named),
            Err(Failure::Mismatch)
        );
    }
}

proptest! {
    #[test]
    fn a_form_is_signed_as_its_sorted_pairs_behind_the_url(
        pairs in prop::collection::vec(("[ab\u{e9}]{0,3}|Name[A-Za-z]{14,20}[ab]?", "[ab\u{e9}\u{10ffff}]{0,3}"), 0..12),
    ) {
        let url = "https://example.com/";
        let form: Form = pairs.iter().cloned().collect();
        let sorted: BTreeSet<(String, String)> = pairs.into_iter().collect();
        let fields: String = sorted.into_iter().flat_map(|(name, value)| [name, value]).collect();
        let secret = Secret::new("token");
        prop_assert_eq!(
            sign(&secret, Algorithm::HmacSha1, url, Content::Form(&form)),
            sign(&secret, Algorithm::HmacSha1, &format!("{url}{fields}"), Content::Query)
        );
    }

    #[test]
    fn what_we_sign_we_accept_in_any_order_and_no_other_form(
        pairs in prop::collection::vec(("[A-Za-z]{0,3}", "\\PC{0,8}"), 0..8),
        path in "(/[!-~&&[^#?]]{0,6})?(\\?[!-~&&[^#]]{0,12})?",
        port in prop::option::of(1..=u16::MAX),
    ) {
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let url = format!("https://example.com{port}{path}");
        let form: Form = pairs.iter().cloned().collect();
        let reversed: Form = pairs.iter().rev().chain(&pairs).cloned().collect();
        let more: Form = pairs.iter().cloned().chain([("More".to_owned(), String::new())]).collect();
        let signature = sign(&Secret::new("token"), Algorithm::HmacSha1, &url, Content::Form(&form));
        let secrets = Secrets::parse("token").expect("a token");
        let verdict = |form| verify(&secrets, &[url.as_str()], &Signed {
            signer: Signer::Twilio,
            signature: Some(&signature),
            settings: None,
            account_sid: "",
            content: Content::Form(form),
        });
        prop_assert_eq!(verdict(&form), Ok(0));
        prop_assert_eq!(verdict(&reversed), Ok(0));
        prop_assert_eq!(verdict(&more), Err(Failure::Mismatch));
    }

    #[test]
    fn nothing_that_a_stranger_sends_is_accepted(
        signature in "\\PC{0,50}|[A-Za-z0-9+/]{27}=",
        settings in prop::option::of("(key|algorithm|[a-z]){0,1}[=, ]{0,3}\\PC{0,20}"),
        url in "\\PC{0,30}|https?://\\PC{0,30}",
        body in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let file = "token\nwebhooks_sharedkey_1 secret\nsignalwire key";
        let secrets = Secrets::parse(file).expect("three secrets");
        let form = Form::parse(&body);
        for content in [Content::Form(&form), Content::Query, Content::Bytes(&body)] {
            for signer in [Signer::Twilio, Signer::SignalWire] {
                let signed = Signed {
                    signer,
                    signature: Some(&signature),
                    settings: settings.as_deref(),
                    account_sid: "",
                    content,
                };
                prop_assert!(verify(&secrets, &[&url], &signed).is_err());
            }
        }
    }

    #[test]
    fn a_diagnosis_shows_no_value(
        value in "[A-Za-z0-9%+ ]{12,20}",
        url in "(https?://)?\\PC{0,20}",
        host in "\\PC{0,20}",
    ) {
        let url = format!("{url}/x?Name={value}&");
        let form: Form = [("Body", &value)].into_iter().collect();
        let token = Secret::new("token-of-ours");
        let signature = sign(&token, Algorithm::HmacSha1, "https://example.com/", Content::Form(&form));
        let signed = Signed {
            signer: Signer::Twilio,
            signature: Some(&signature),
            settings: None,
            account_sid: "",
            content: Content::Form(&form),
        };
        let secrets = Secrets::parse("token-of-ours").expect("a token");
        let hints = Hints {
            received: &value,
            hosts: vec![&host],
            port: Some(&host),
            prefix: Some(&host),
        };
        let line = diagnose(&secrets, &[&url], &signed, &hints);
        prop_assert!(!line.contains(&value), "{}", line);
        prop_assert!(!line.contains("token-of-ours"), "{}", line);
        prop_assert!(!line.contains(&signature), "{}", line);
        prop_assert!(!line.contains(char::is_control), "{}", line);
    }
}
