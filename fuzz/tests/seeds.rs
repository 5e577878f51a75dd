//! Every seed through its target, without a fuzzer.

use std::fs;
use std::path::Path;

#[test]
fn every_seed_holds() {
    let targets: [(&str, fn(&[u8])); 7] = [
        ("form", twiml_responder_fuzz::form),
        ("table", twiml_responder_fuzz::table),
        ("answer", twiml_responder_fuzz::answer),
        ("url", twiml_responder_fuzz::url),
        ("import", twiml_responder_fuzz::import),
        ("events", twiml_responder_fuzz::events),
        ("journal", twiml_responder_fuzz::journal),
    ];
    for (name, target) in targets {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("seeds")
            .join(name);
        let mut count = 0;
        for seed in fs::read_dir(&folder).expect("a folder of seeds") {
            let path = seed.expect("a seed").path();
            println!("{}", path.display());
            target(&fs::read(path).expect("a file"));
            count += 1;
        }
        assert!(count >= 3, "{name} has {count} seeds");
    }
}
