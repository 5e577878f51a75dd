//! What only the parts of the service show: the reload state, and which thread frees what was replaced.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Instant;

use arc_swap::ArcSwap;
use twiml_responder::service::live::{Access, CurrentLive, Live, Verification};
use twiml_responder::service::metrics::Metrics;
use twiml_responder::service::reload::{
    self, Origin, Part, PutInUse, ReloadOutcome, Reloads, Setup, State, TableFiles, Watched,
};
use twiml_responder::service::table_file::ReadFile;

use crate::support::Folder;
use crate::world::{LONG, folder, rows, table, table_with};

/// A reloader without a server.
struct Parts {
    live: CurrentLive,
    reloads: Reloads,
    metrics: Arc<Metrics>,
}

impl Parts {
    fn new(folder: &Folder, certificate: Option<Watched<PutInUse>>) -> Self {
        let files = TableFiles {
            table: folder.path().join("responses.toml"),
            max_directory: 1 << 20,
            state_dir: Some(folder.path().join("state")),
            secrets: Vec::new(),
        };
        let (table, first) = reload::first(&files).expect("a table or a copy");
        let metrics = Arc::new(Metrics::default());
        let table = Arc::new(table);
        let read = |_: ReadFile<'_>| Ok(Access::from(Verification::AllowUnsigned));
        let (secrets, access) = Watched::first(Part::Secrets, read).expect("no files");
        let live = Live::new(table, Arc::new(access), &metrics);
        let live = Arc::new(ArcSwap::from_pointee(live));
        let setup = Setup {
            files,
            secrets,
            certificate,
            live: Arc::clone(&live),
            metrics: Arc::clone(&metrics),
            is_ending: Arc::default(),
            show_numbers: false,
        };
        let (reloads, _) = reload::start(setup, first).expect("a thread");
        Self {
            live,
            reloads,
            metrics,
        }
    }

    /// Requests a reload, and waits until it ends.
    fn reload(&mut self) -> State {
        self.reloads.ask();
        self.next()
    }

    /// Waits until the next reload ends.
    fn next(&mut self) -> State {
        wait_until("a reload", || {
            self.reloads.state.has_changed().expect("a reloader")
        });
        self.reloads.state.borrow_and_update().clone()
    }

    fn has_metric(&self, line: &str) -> bool {
        let text = self.metrics.text();
        text.lines().any(|found| found == line)
    }
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + LONG;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {LONG:?}: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn what_is_replaced_is_freed_by_the_reloader_and_by_no_request() {
    let folder = folder("freed", &[("responses.toml", &table("one"))]);
    let mut parts = Parts::new(&folder, None);
    // A request that is still running when the table is replaced.
    let request = parts.live.load_full();
    let old: Weak<Live> = Arc::downgrade(&request);
    let table_of_old = Arc::downgrade(&request.table);
    folder.write("responses.toml", &table("two"));
    assert_eq!(parts.reload().last, ReloadOutcome::Good);
    assert!(!Arc::ptr_eq(&request, &parts.live.load()));
    // The reloader also holds the old table, so the end of the request frees nothing.
    assert_eq!(old.strong_count(), 2);
    drop(request);
    wait_until("what was replaced is freed", || {
        old.strong_count() == 0 && table_of_old.strong_count() == 0
    });
}

#[test]
fn new_secrets_need_no_new_table() {
    let folder = folder("same-table", &[("responses.toml", &table("one"))]);
    let mut parts = Parts::new(&folder, None);
    let before = parts.live.load_full();
    assert_eq!(parts.reload().last, ReloadOutcome::Good);
    let after = parts.live.load_full();
    assert!(!Arc::ptr_eq(&before, &after));
    assert!(Arc::ptr_eq(&before.table, &after.table));
}

#[test]
fn the_state_tells_of_every_reload_and_how_it_went() {
    let folder = folder(
        "told",
        &[
            ("responses.toml", &table_with("one", "d.csv")),
            ("d.csv", &rows("a", 10)),
        ],
    );
    let mut parts = Parts::new(&folder, None);
    let first = parts.reloads.state.borrow().clone();
    assert_eq!((first.routes, &first.last), (1, &ReloadOutcome::Good));
    assert_eq!(first.to_string(), format!("1 route, table {}", first.hash));
    assert!(!first.is_degraded());

    folder.write("d.csv", &rows("b", 10));
    let second = parts.next();
    assert_eq!(second.last, ReloadOutcome::Good);
    assert_ne!(second.hash, first.hash);
    assert!(parts.has_metric("twiml_responder_last_reload_successful 1"));

    folder.write("d.csv", &rows("c", 4));
    let waiting = parts.next();
    let outcome = ReloadOutcome::Waiting {
        file: "d.csv".to_owned(),
        before: 10,
        rows: 4,
    };
    assert_eq!((&waiting.last, &waiting.hash), (&outcome, &second.hash));
    assert_eq!(waiting.succeeded, second.succeeded);
    assert_eq!(
        waiting.to_string(),
        format!(
            "1 route, table {}; d.csv went from 10 to 4 rows and waits for SIGHUP",
            second.hash
        )
    );
    assert!(parts.has_metric("twiml_responder_last_reload_successful 0"));

    folder.write("responses.toml", "[default]\nx = 1\ny = 2\n");
    let failed = parts.next();
    assert!(
        matches!(failed.last, ReloadOutcome::Failed { errors: 2.., .. }),
        "{failed:?}"
    );
    assert_eq!(failed.hash, second.hash);
    assert!(failed.to_string().contains("the last reload failed with"));

    folder.write("responses.toml", &table_with("two", "d.csv"));
    assert_eq!(parts.next().last, outcome);
    assert_eq!(parts.reload().last, ReloadOutcome::Good);
    assert!(parts.has_metric("twiml_responder_reloads_total{result=\"success\"} 2"));
    assert!(parts.has_metric("twiml_responder_reloads_total{result=\"failure\"} 3"));
}

#[test]
fn a_copy_in_use_is_told_of_until_the_file_is_good() {
    let folder = folder("degraded", &[("responses.toml", &table("one"))]);
    let hash = {
        let parts = Parts::new(&folder, None);
        let copy = folder.path().join("state/last-good-1");
        wait_until("a copy is kept", || copy.exists());
        parts.reloads.state.borrow().clone().hash
    };
    folder.write("responses.toml", "[default]\n");
    let mut parts = Parts::new(&folder, None);
    let state = parts.reloads.state.borrow().clone();
    assert!(state.is_degraded());
    assert!(
        matches!(state.last, ReloadOutcome::Failed { errors: 1, .. }),
        "{state:?}"
    );
    // The same table has the same hash, wherever it came from.
    assert_eq!(state.hash, hash);
    let Origin::LastGood { kept } = state.origin else {
        panic!("{state:?}");
    };
    let said = format!("degraded: the last good copy of {kept:.0} is in use");
    assert!(state.to_string().contains(&said), "{state}");
    assert!(parts.has_metric("twiml_responder_degraded 1"));
    assert!(parts.reload().is_degraded());
    folder.write("responses.toml", &table("one"));
    let state = parts.next();
    assert_eq!(
        (state.origin, state.last),
        (Origin::File, ReloadOutcome::Good)
    );
    assert!(parts.has_metric("twiml_responder_degraded 0"));
}

#[test]
fn the_table_and_a_certificate_go_live_each_for_itself_and_what_is_bad_is_told_until_it_is_mended()
{
    static IN_USE: AtomicUsize = AtomicUsize::new(0);
    let folder = folder(
        "certificate",
        &[("responses.toml", &table("one")), ("certificate", "four")],
    );
    let path = folder.path().join("certificate");
    let read = move |read: ReadFile<'_>| {
        let bytes = read(&path).map_err(|error| error.to_string())?;
        if bytes.is_empty() {
            return Err("it is empty".to_owned());
        }
        Ok(Box::new(move || IN_USE.store(bytes.len(), Ordering::SeqCst)) as PutInUse)
    };
    let (certificate, put_in_use) = Watched::first(Part::Certificate, read).expect("four bytes");
    put_in_use();
    let mut parts = Parts::new(&folder, Some(certificate));
    let failed = |parts: &[Part]| ReloadOutcome::Failed {
        errors: parts.len(),
        parts: parts.to_vec(),
    };
    // Without a request for a reload: the file is watched.
    folder.write("certificate", "");
    let state = parts.next();
    assert_eq!(state.last, failed(&[Part::Certificate]));
    assert!(
        state
            .to_string()
            .ends_with("; the last reload failed with 1 error (certificate)"),
        "{state}"
    );
    assert!(parts.has_metric("twiml_responder_degraded 1"));
    // A good table still goes live, and the bad certificate is still reported.
    let before = state.hash;
    folder.write("responses.toml", &table("two"));
    let state = parts.next();
    assert_eq!(state.last, failed(&[Part::Certificate]));
    assert_ne!(state.hash, before);
    assert!(parts.has_metric("twiml_responder_degraded 1"));
    folder.write("responses.toml", "[default]\n");
    assert_eq!(parts.next().last, failed(&[Part::Table, Part::Certificate]));
    // A good certificate also goes live while the table is bad.
    folder.write("certificate", "twelve bytes");
    assert_eq!(parts.next().last, failed(&[Part::Table]));
    assert_eq!(IN_USE.load(Ordering::SeqCst), 12);
    folder.write("responses.toml", &table("two"));
    assert_eq!(parts.next().last, ReloadOutcome::Good);
    assert!(parts.has_metric("twiml_responder_degraded 0"));
}

#[test]
fn the_reloader_ends_when_nobody_wants_it() {
    let folder = folder("end", &[("responses.toml", &table("one"))]);
    let parts = Parts::new(&folder, None);
    let state = parts.reloads.state.clone();
    drop(parts.reloads);
    // The reloader holds the table as long as it runs.
    wait_until("it has ended", || Arc::strong_count(&parts.live) == 1);
    assert!(state.has_changed().is_err());
}
