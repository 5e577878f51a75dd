//! How time and memory grow with the numbers in a table: with routes pinned to one number each, and with the rows of a
//! directory. `cargo bench --bench growth` prints a table. Each line is measured three times, each time in a process of
//! its own, and shows the median of each figure with its range.
//!
//! Memory is heap memory in megabytes; the peak includes the text of the table. The last column is the time of one
//! decision, over 64 calls to numbers from all parts of the table: it should stay constant.

#![allow(missing_docs, clippy::cast_precision_loss, clippy::print_stdout)]

use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::io;
use std::process::Command;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use peak_alloc::PeakAlloc;
use twiml_responder::language::{Compiled, Files, compile};
use twiml_responder::table::diagnostic::File;
use twiml_responder::twilio::channel::Channel;
use twiml_responder::twilio::request::{Form, Request, Webhook, sample};

/// Counts the memory of all threads, because two threads compile a large table.
#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// How many decisions are timed, and over how many calls.
const DECISIONS: usize = 1_000_000;
const CALLS: usize = 64;

/// How often each line is measured.
const RUNS: usize = 3;

const DEFAULT: &str =
    "[default]\nvoice = [ { Say = \"This number is not in use right now. Goodbye.\" } ]\n";

/// The heading of each figure, and its number of decimals.
const FIGURES: [(&str, usize); 4] = [
    ("compile s", 3),
    ("peak MB", 1),
    ("kept MB", 1),
    ("decide ns", 0),
];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, measure, kind, numbers] = arguments.as_slice()
        && measure == "--measure"
    {
        let figures = measured(kind, numbers.parse().expect("a count"));
        println!("{}", figures.map(|figure| figure.to_string()).join(" "));
        return;
    }
    print!("{:24}{:>10}", "", "numbers");
    for (name, _) in FIGURES {
        print!("{name:>22}");
    }
    println!();
    for kind in ["routes", "rows"] {
        for numbers in [10, 1_000, 10_000, 100_000, 1_000_000] {
            let title = match kind {
                "routes" => "routes with a number",
                _ => "rows of a directory",
            };
            print!("{title:24}{numbers:>10}");
            let runs: Vec<Vec<f64>> = (0..RUNS).map(|_| in_a_process(kind, numbers)).collect();
            for (place, (_, digits)) in FIGURES.into_iter().enumerate() {
                let mut figures: Vec<f64> = runs.iter().map(|run| run[place]).collect();
                figures.sort_by(f64::total_cmp);
                let spread = format!("{:.digits$}-{:.digits$}", figures[0], figures[RUNS - 1]);
                print!("{:>9.digits$} {spread:>12}", figures[RUNS / 2]);
            }
            println!();
        }
    }
}

/// One line, measured in a process of its own, so that it includes no memory of another line.
fn in_a_process(kind: &str, numbers: usize) -> Vec<f64> {
    let program = std::env::current_exe().expect("this program");
    let output = Command::new(program)
        .args(["--measure", kind, &numbers.to_string()])
        .output()
        .expect("this program runs");
    let text = String::from_utf8(output.stdout).expect("figures");
    text.split_whitespace()
        .map(|figure| figure.parse().expect("a figure"))
        .collect()
}

/// The rows of the directory, when rows are measured.
struct Rows(Option<String>);

impl Files for Rows {
    fn read(&self, _path: &str) -> io::Result<Vec<u8>> {
        fs::read(self.0.as_deref().unwrap_or_default())
    }
}

/// Seconds to compile, peak and kept megabytes, nanoseconds per decision.
fn measured(kind: &str, numbers: usize) -> [f64; 4] {
    let path = std::env::temp_dir().join(format!("growth-{}.csv", std::process::id()));
    let (text, rows) = if kind == "routes" {
        (routes(numbers), Rows(None))
    } else {
        let path = path.to_str().expect("a path in UTF-8").to_owned();
        fs::write(&path, csv(numbers)).expect("a temporary file");
        (directory(), Rows(Some(path)))
    };
    let file = File::new("responses.toml", text);
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let start = Instant::now();
    let compiled = compile(&file, &rows);
    let seconds = start.elapsed().as_secs_f64();
    let more = |bytes: usize| bytes.saturating_sub(before) as f64 / 1e6;
    let (peak, kept) = (more(MEMORY.peak_usage()), more(MEMORY.current_usage()));
    let _ = fs::remove_file(path);
    let compiled = compiled.unwrap_or_else(|found| panic!("{found:#?}"));
    // The text of the table is in memory throughout, but is not kept.
    let peak = peak + file.text.len() as f64 / 1e6;
    [seconds, peak, kept, decision(&compiled, numbers)]
}

/// The time of one decision in nanoseconds, over calls to numbers from all parts of the table.
fn decision(compiled: &Compiled, numbers: usize) -> f64 {
    let forms: Vec<Form> = (0..CALLS)
        .map(|call| form(call * numbers / CALLS))
        .collect();
    let nothing = Form::default();
    let requests: Vec<Request<'_>> = forms
        .iter()
        .map(|form| Request::new(Webhook::OutOfSession, form, &nothing))
        .collect();
    let rounds = DECISIONS / CALLS;
    let mut fastest = Duration::MAX;
    for _ in 0..RUNS {
        let start = Instant::now();
        for _ in 0..rounds {
            for request in &requests {
                let decision = compiled
                    .table
                    .decide(black_box(request), Timestamp::UNIX_EPOCH);
                assert!(black_box(decision).route.is_some());
            }
        }
        fastest = fastest.min(start.elapsed());
    }
    fastest.as_secs_f64() * 1e9 / (rounds * CALLS) as f64
}

fn number(place: usize) -> String {
    format!("+1415{place:07}")
}

/// The complete form of a call to one of the table's numbers.
fn form(place: usize) -> Form {
    let given = [
        ("Called", number(place)),
        ("sessionStatus", "closed".to_owned()),
    ];
    sample::complete(
        &given.into_iter().collect(),
        Channel::Voice,
        Webhook::OutOfSession,
    )
}

/// One route per number, as a program would write them.
fn routes(numbers: usize) -> String {
    let mut text = DEFAULT.to_owned();
    for place in 0..numbers {
        write!(
            text,
            "\n[[route]]\nname = \"ride-{place}\"\nwhen = {{ Called = \"{}\", sessionStatus = \"closed\" }}\n\
             voice = [ {{ Say = \"Ride {place} has ended.\" }} ]\nmessage = [ {{ Message = \"This ride has ended.\" }} ]\n",
            number(place)
        )
        .expect("a String takes all");
    }
    text
}

fn csv(numbers: usize) -> String {
    let mut text = "number,name,phone\n".to_owned();
    for place in 0..numbers {
        writeln!(text, "{},Seller {place},+1500{place:07}", number(place))
            .expect("a String takes all");
    }
    text
}

/// A table with a directory in a file, and a route that uses it.
fn directory() -> String {
    format!(
        "{DEFAULT}[directory.sellers]\nfile = \"sellers.csv\"\n\
         [[route]]\nname = \"seller\"\nwhen = {{ Called = {{ in = \"sellers\" }}, sessionStatus = \"closed\" }}\n\
         voice = [ {{ Say = \"Connecting you to {{{{ sellers.name }}}}.\" }}, {{ Dial = \"{{{{ sellers.phone }}}}\" }} ]\n"
    )
}
