#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| twiml_responder_fuzz::journal(bytes));
