//! The sample table: the time from the start of the process to its first answer, and its use of memory and disk.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Instant;

use crate::load::Requests;
use crate::process::{self, Server, TABLE};
use crate::{Result, Spread};

/// The sample table of the project.
const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/responses.toml");

/// How often the service is started.
const STARTS: usize = 15;

/// Repeatedly starts the service in this folder and sends it one request.
pub fn print(folder: &Path, requests: &Requests) -> Result<()> {
    fs::create_dir_all(folder.join(TABLE))?;
    fs::copy(SAMPLE, folder.join(TABLE).join("responses.toml"))?;
    let (mut milliseconds, mut megabytes) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let begin = Instant::now();
        let server = Server::service(folder)?;
        let mut connection = TcpStream::connect(("127.0.0.1", server.port))?;
        connection.write_all(requests.first())?;
        let mut answer = vec![0; 4096];
        let length = connection.read(&mut answer)?;
        milliseconds.push(begin.elapsed().as_secs_f64() * 1e3);
        if !answer[..length].starts_with(b"HTTP/1.1 200") {
            return Err(String::from_utf8_lossy(&answer[..length])
                .into_owned()
                .into());
        }
        megabytes.push(server.resident_megabytes()?);
    }
    let binary = fs::metadata(process::program()?)?.len();
    println!("\nsample table, {STARTS} starts");
    println!(
        "{:58} {}",
        "milliseconds to the first answer",
        Spread::of(milliseconds.into_iter())
    );
    println!(
        "{:58} {}",
        "megabytes resident then",
        Spread::of(megabytes.into_iter())
    );
    println!(
        "{:58} {}.{:02}",
        "megabytes of the program's file",
        binary / 1_000_000,
        binary / 10_000 % 100
    );
    Ok(())
}
