//! The service as a process beside two peers, all in one run: what a request costs over a bare hyper server that answers
//! a constant, and what an ordinary program for the same work costs over ours.
//!
//! `cargo bench --bench service`, on Linux. The servers run on one core and the load on another, in turns, so that a
//! noisy machine is noisy for all of them: read the ratios, not the times. `SECONDS=5 ROUNDS=5` before it measures longer.

// Each of its files is a part of this program alone, which prints what it finds.
#![allow(unreachable_pub, clippy::print_stdout, clippy::print_stderr)]

mod load;
mod peers;
mod process;
#[path = "../support/mod.rs"]
mod support;

use std::error::Error;
use std::path::Path;
use std::time::Duration;
use std::{env, fs, process as std_process};

use self::load::{Load, Requests};
use self::process::Server;

/// The first argument of this program when it is to be a peer.
const CONSTANT: &str = "constant";
const ORDINARY: &str = "ordinary";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some(CONSTANT) => peers::constant(arguments[2].parse()?),
        Some(ORDINARY) => peers::ordinary(arguments[2].parse()?),
        _ => measure(),
    }
}

/// What one server did in one round.
#[derive(Clone, Copy)]
struct Figures {
    /// Of the server's processor time.
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

/// Starts the servers, measures them in turns, and prints what came of it.
fn in_folder(folder: &Path, time: Duration, rounds: u64) -> Result<()> {
    process::pin_load();
    let ours = |name: &str, table: String, rows: Option<usize>| -> Result<(String, Server)> {
        let its = folder.join(name.replace(' ', "-"));
        fs::create_dir(&its)?;
        fs::write(its.join("responses.toml"), table)?;
        if let Some(rows) = rows {
            fs::write(its.join("numbers.csv"), support::directory(rows))?;
        }
        Ok((name.to_owned(), Server::service(&its)?))
    };
    let peer =
        |name: &str| -> Result<(String, Server)> { Ok((name.to_owned(), Server::peer(name)?)) };
    let servers = [
        peer(CONSTANT)?,
        peer(ORDINARY)?,
        ours("service", support::table(peers::ROUTES), None)?,
        ours("10 routes", support::table(10), None)?,
        ours("100000 routes", support::table(100_000), None)?,
        ours("10 rows", support::directory_table(), Some(10))?,
        ours("1000000 rows", support::directory_table(), Some(1_000_000))?,
    ];
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
    print(&servers, &figures)
}

/// What each server did, then the ratios that mean something.
fn print(servers: &[(String, Server)], figures: &[Vec<Figures>]) -> Result<()> {
    for ((name, server), figures) in servers.iter().zip(figures) {
        let figure = |of: fn(&Figures) -> f64| Spread::of(figures.iter().map(of));
        println!(
            "{name:>14}: {:.2} µs of processor a request, {:.0} requests a second, p50 {:.1} µs, p99 {:.1} µs, {:.1} MB",
            figure(|figures| figures.microseconds_a_request).median,
            figure(|figures| figures.requests_a_second).median,
            figure(|figures| figures.p50_microseconds).median,
            figure(|figures| figures.p99_microseconds).median,
            server.resident_megabytes()?,
        );
    }
    println!(
        "\n{:58} median (least to most of {} rounds)",
        "ratio",
        figures[0].len()
    );
    let [
        constant,
        ordinary,
        service,
        few_routes,
        routes,
        few_rows,
        rows,
    ] = [0, 1, 2, 3, 4, 5, 6];
    let ratio = |what: &str, of: fn(&Figures) -> f64, one: usize, other: usize| {
        let spread = Spread::of(
            figures[one]
                .iter()
                .zip(&figures[other])
                .map(|(one, other)| of(one) / of(other)),
        );
        println!(
            "{what:58} {:.2} ({:.2} to {:.2})",
            spread.median, spread.least, spread.most
        );
    };
    ratio(
        "processor a request, ours over a constant",
        |f| f.microseconds_a_request,
        service,
        constant,
    );
    ratio(
        "throughput, ours over a constant",
        |f| f.requests_a_second,
        service,
        constant,
    );
    ratio(
        "p50 at a fixed pace, ours over a constant",
        |f| f.p50_microseconds,
        service,
        constant,
    );
    ratio(
        "processor a request, an ordinary program over ours",
        |f| f.microseconds_a_request,
        ordinary,
        service,
    );
    ratio(
        "processor a request, 100,000 routes over 10",
        |f| f.microseconds_a_request,
        routes,
        few_routes,
    );
    ratio(
        "processor a request, 1,000,000 rows over 10",
        |f| f.microseconds_a_request,
        rows,
        few_rows,
    );
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
