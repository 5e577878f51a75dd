//! The service as a process next to two peers, in one run: the cost of a request relative to a bare hyper server that
//! answers a constant, and the cost in an ordinary program for the same work relative to ours.
//!
//! `cargo bench --bench service`, on Linux. The servers run on one core and the load on another, in turns, so that
//! noise affects all of them alike: read the ratios, not the times. Put `SECONDS=5 ROUNDS=5` in front to measure
//! longer, `ONLY=constant,service` to select servers, `PROGRAM=/usr/bin/twiml-responder` to measure the packaged
//! program.

// Each file is a module of this program alone, which prints its results.
#![allow(unreachable_pub, clippy::print_stdout, clippy::print_stderr)]

mod load;
mod peers;
mod process;
mod reloads;
mod start;
#[path = "../support/mod.rs"]
mod support;

use std::error::Error;
use std::path::Path;
use std::time::Duration;
use std::{env, fmt, fs, process as std_process};

use self::load::{Load, Requests};
use self::process::{Server, TABLE};
use self::reloads::Versions;

/// The servers. With one of the first two as its first argument, this program runs as that peer.
const CONSTANT: &str = "constant";
const ORDINARY: &str = "ordinary";
const SERVICE: &str = "service";
const FEW_ROUTES: &str = "10 routes";
const MANY_ROUTES: &str = "10000 routes";
const FEW_ROWS: &str = "10 rows";
const MANY_ROWS: &str = "1000000 rows";
const SERVERS: [&str; 7] = [
    CONSTANT,
    ORDINARY,
    SERVICE,
    FEW_ROUTES,
    MANY_ROUTES,
    FEW_ROWS,
    MANY_ROWS,
];

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some(CONSTANT) => peers::constant(arguments[2].parse()?),
        Some(ORDINARY) => peers::ordinary(arguments[2].parse()?),
        _ => measure(),
    }
}

/// The results of one server in one round.
#[derive(Clone, Copy)]
struct Figures {
    /// In processor time of the server.
    microseconds_a_request: f64,
    requests_a_second: f64,
    /// At a fixed pace.
    p50_microseconds: f64,
    p99_microseconds: f64,
}

fn measure() -> Result<()> {
    let setting = |name, usual| {
        env::var(name)
            .ok()
            .and_then(|value| value.parse().ok())
            .unwrap_or(usual)
    };
    let (seconds, rounds) = (setting("SECONDS", 3), setting("ROUNDS", 3));
    let folder = env::temp_dir().join(format!("twiml-responder-bench-{}", std_process::id()));
    fs::create_dir(&folder)?;
    let measured = in_folder(&folder, Duration::from_secs(seconds), rounds);
    fs::remove_dir_all(&folder)?;
    measured
}

/// Starts the servers, measures them in turns, and prints the results.
fn in_folder(folder: &Path, time: Duration, rounds: u64) -> Result<()> {
    process::pin_load();
    let in_its_own = |name: &str| folder.join(name.replace(' ', "-"));
    let ours = |name: &str, table: String, rows: Option<usize>| {
        let its = in_its_own(name).join(TABLE);
        fs::create_dir_all(&its)?;
        fs::write(its.join("responses.toml"), table)?;
        if let Some(rows) = rows {
            fs::write(its.join("numbers.csv"), support::directory(rows))?;
        }
        Server::service(&in_its_own(name))
    };
    let wanted = env::var("ONLY").ok();
    let mut servers = Vec::new();
    for name in SERVERS {
        if wanted
            .as_ref()
            .is_some_and(|wanted| !wanted.split(',').any(|wanted| wanted == name))
        {
            continue;
        }
        let server = match name {
            CONSTANT | ORDINARY => Server::peer(name)?,
            SERVICE => ours(name, support::table(peers::ROUTES), None)?,
            FEW_ROUTES => ours(name, support::table(10), None)?,
            MANY_ROUTES => ours(name, support::table(10_000), None)?,
            FEW_ROWS => ours(name, support::directory_table(), Some(10))?,
            _ => ours(name, support::directory_table(), Some(1_000_000))?,
        };
        servers.push((name, server));
    }
    let requests = Requests::signed();
    let mut loads = servers
        .iter()
        .map(|(_, server)| Load::connect(server.port, &requests))
        .collect::<Result<Vec<_>>>()?;
    let mut figures = vec![Vec::new(); servers.len()];
    for _ in 0..rounds {
        for (index, (_, server)) in servers.iter().enumerate() {
            figures[index].push(round(server, &mut loads[index], time)?);
        }
    }
    print(&servers, &figures)?;
    for ((name, server), load) in servers.iter().zip(&mut loads) {
        let mut versions = match *name {
            MANY_ROUTES => Versions::of(&in_its_own(name), "responses.toml", "# The second.\n")?,
            MANY_ROWS => Versions::of(&in_its_own(name), "numbers.csv", "+14140000000,Seller\n")?,
            _ => continue,
        };
        let p99s = (0..rounds)
            .map(|_| versions.p99s(server, load, time))
            .collect::<Result<Vec<_>>>()?;
        for (what, of) in [
            (
                "µs, alone",
                (|(alone, _)| alone * 1e6) as fn((f64, f64)) -> f64,
            ),
            ("µs, while it is read again", |(_, during)| during * 1e6),
            ("while it is read again, over alone", |(alone, during)| {
                during / alone
            }),
        ] {
            let what = format!("{name}: p99 {what}");
            println!("{what:58} {}", Spread::of(p99s.iter().copied().map(of)));
        }
    }
    drop(loads);
    drop(servers);
    start::print(&folder.join("sample"), &requests)
}

/// Prints the results of each server, then the meaningful ratios.
fn print(servers: &[(&str, Server)], figures: &[Vec<Figures>]) -> Result<()> {
    for ((name, server), figures) in servers.iter().zip(figures) {
        let figure = |of: fn(&Figures) -> f64| Spread::of(figures.iter().map(of)).median;
        println!(
            "{name:>14}: {:.2} µs of processor a request, {:.0} requests a second, p50 {:.1} µs, p99 {:.1} µs, {:.1} MB",
            figure(|figures| figures.microseconds_a_request),
            figure(|figures| figures.requests_a_second),
            figure(|figures| figures.p50_microseconds),
            figure(|figures| figures.p99_microseconds),
            server.resident_megabytes()?,
        );
    }
    println!("\n{:58} median (least to most)", "ratio");
    let processor: fn(&Figures) -> f64 = |figures| figures.microseconds_a_request;
    for (what, of, one, other) in [
        (
            "processor a request, ours over a constant",
            processor,
            SERVICE,
            CONSTANT,
        ),
        (
            "throughput, ours over a constant",
            |figures| figures.requests_a_second,
            SERVICE,
            CONSTANT,
        ),
        (
            "p50 at a fixed pace, ours over a constant",
            |figures| figures.p50_microseconds,
            SERVICE,
            CONSTANT,
        ),
        (
            "processor a request, an ordinary program over ours",
            processor,
            ORDINARY,
            SERVICE,
        ),
        (
            "processor a request, 10,000 routes over 10",
            processor,
            MANY_ROUTES,
            FEW_ROUTES,
        ),
        (
            "processor a request, 1,000,000 rows over 10",
            processor,
            MANY_ROWS,
            FEW_ROWS,
        ),
    ] {
        let figures_of = |wanted| {
            let index = servers.iter().position(|(name, _)| *name == wanted)?;
            Some(&figures[index])
        };
        let (Some(one), Some(other)) = (figures_of(one), figures_of(other)) else {
            continue;
        };
        let spread = Spread::of(
            one.iter()
                .zip(other)
                .map(|(one, other)| of(one) / of(other)),
        );
        println!("{what:58} {spread}");
    }
    Ok(())
}

fn round(server: &Server, load: &mut Load<'_>, time: Duration) -> Result<Figures> {
    load.saturate(time / 10)?;
    let before = server.processor_time()?;
    let requests = load.saturate(time)?;
    let used = server.processor_time()?.saturating_sub(before);
    let count = f64::from(requests.count);
    let mut latencies = load.at_a_pace(time / 2)?;
    latencies.sort_unstable();
    let at = |part: usize| latencies[latencies.len() * part / 100].as_secs_f64() * 1e6;
    Ok(Figures {
        microseconds_a_request: used.as_secs_f64() * 1e6 / count,
        requests_a_second: count / requests.time.as_secs_f64(),
        p50_microseconds: at(50),
        p99_microseconds: at(99),
    })
}

struct Spread {
    least: f64,
    median: f64,
    most: f64,
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            least,
            median,
            most,
        } = self;
        write!(f, "{median:.2} ({least:.2} to {most:.2})")
    }
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_unstable_by(f64::total_cmp);
        Self {
            least: values[0],
            median: values[values.len() / 2],
            most: values[values.len() - 1],
        }
    }
}
