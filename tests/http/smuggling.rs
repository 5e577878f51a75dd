//! Where a request ends: the service must never disagree with a proxy in front of it. Ambiguous requests are refused,
//! and nothing after them is answered.
//!
//! The cases are those of RFC 9112, sections 2.2, 3.2, 5, 6 and 7, and known disagreements between proxies and servers.

use crate::wire::ask::{Ask, hello};
use crate::wire::server::TestServer;
use crate::wire::{CALL, signed_service};

const LINE: &str = "POST /out-of-session HTTP/1.1";

/// The statuses of all answers on a connection that sends this request, then a good one, and then one that closes the
/// connection.
async fn statuses(server: &TestServer, request: &[u8]) -> Vec<u16> {
    let mut client = server.connect().await;
    let last = b"GET /nowhere HTTP/1.1\r\nHost: example.com\r\n\r\n";
    let all = [request, &hello().bytes(), last].concat();
    client.send(&all).await;
    while client.read_more().await {}
    let received = String::from_utf8_lossy(&client.received);
    let answers = received.split("HTTP/1.").skip(1);
    answers
        .map(|answer| answer[2..5].parse().expect("a status"))
        .collect()
}

/// The signed request with additional headers, and with this body.
fn request(line: &str, headers: &str, body: &str) -> Vec<u8> {
    let ask = hello();
    let own = ask.headers.iter();
    let own: Vec<String> = own
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let own = own.concat();
    format!("{line}\r\nHost: example.com\r\n{own}{headers}\r\n{body}").into_bytes()
}

fn chunked(body: &str) -> String {
    format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
}

/// A header with the length of the body.
fn length() -> String {
    format!("Content-Length: {}\r\n", CALL.len())
}

async fn expect(server: &TestServer, bytes: &[u8], expected: &[u16]) {
    let begin = String::from_utf8_lossy(&bytes[..bytes.len().min(400)]).into_owned();
    assert_eq!(statuses(server, bytes).await, expected, "{begin:?}");
}

#[tokio::test]
async fn requests_with_one_clear_end_are_answered_one_by_one() {
    let server = TestServer::start(signed_service()).await;
    let n = CALL.len();
    let both = [200, 200, 404];
    for headers in [
        length(),
        format!("Content-Length:\t{n}\t\r\n"),
        format!("Content-Length: 000{n}\r\n"),
        // The same length twice counts once.
        length() + &length(),
        // Not an HTTP header, but a similar name.
        format!(
            "Content_Length: 1\r\nTransfer_Encoding: chunked\r\n{}",
            length()
        ),
        format!("X: caf\u{e9}\r\n{}", length()),
    ] {
        expect(&server, &request(LINE, &headers, CALL), &both).await;
    }
    for coding in ["chunked", "Chunked", " CHUNKED ", "\tchunked\t"] {
        let headers = format!("Transfer-Encoding:{coding}\r\n");
        expect(&server, &request(LINE, &headers, &chunked(CALL)), &both).await;
    }
    for body in [
        format!("{n:X}\r\n{CALL}\r\n0\r\n\r\n"),
        format!("0000{n:x};name=value\r\n{CALL}\r\n0\r\n\r\n"),
        format!("{n:x}\r\n{CALL}\r\n0\r\nTrailer: of no meaning\r\n\r\n"),
        format!("{n:x}\r\n{CALL}\r\n000\r\nContent-Length: 7\r\n\r\n"),
    ] {
        let headers = "Transfer-Encoding: chunked\r\n";
        expect(&server, &request(LINE, headers, &body), &both).await;
    }
    // Blank lines before a request are ignored.
    let after_lines = [b"\r\n\r\n", &*request(LINE, &length(), CALL)].concat();
    expect(&server, &after_lines, &both).await;
}

#[tokio::test]
async fn lengths_that_can_be_read_in_two_ways_are_refused() {
    let server = TestServer::start(signed_service()).await;
    let n = CALL.len();
    for value in [
        format!("{n}, {n}"),
        format!("+{n}"),
        format!("-{n}"),
        format!("{n}\r\nContent-Length: 4"),
        format!("4\r\nContent-Length: {n}"),
        format!("{n:#x}"),
        format!("{n}.0"),
        format!("{n}\u{b}"),
        String::new(),
        "1 2".to_owned(),
        "99999999999999999999999999".to_owned(),
    ] {
        let headers = format!("Content-Length: {value}\r\n");
        expect(&server, &request(LINE, &headers, CALL), &[400]).await;
    }
    let headers = format!("Content-Length: {}\r\n", u64::MAX);
    expect(&server, &request(LINE, &headers, CALL), &[431]).await;
    let headers = format!("Content-Length : {n}\r\n");
    expect(&server, &request(LINE, &headers, CALL), &[400]).await;
}

#[tokio::test]
async fn codings_other_than_chunked_once_are_refused() {
    let server = TestServer::start(signed_service()).await;
    for coding in [
        "identity",
        "xchunked",
        "chunked, identity",
        "identity, chunked",
        "gzip, chunked",
        "chunked, chunked",
        ", chunked",
        "chunked,",
        "chunked;a=b",
        "\"chunked\"",
        "\u{b}chunked",
        "",
        "\r\n chunked",
        "chunked\r\nTransfer-Encoding: chunked",
        "chunked\r\nTransfer-Encoding: identity",
        "identity\r\nTransfer-Encoding: chunked",
        "chunked\r\nTransfer-Encoding:",
    ] {
        let headers = format!("Transfer-Encoding: {coding}\r\n");
        expect(&server, &request(LINE, &headers, &chunked(CALL)), &[400]).await;
    }
    let headers = "Transfer-Encoding : chunked\r\n";
    expect(&server, &request(LINE, headers, &chunked(CALL)), &[400]).await;
    // HTTP/1.0 has no chunks.
    let line = "POST /out-of-session HTTP/1.0";
    let headers = "Transfer-Encoding: chunked\r\n";
    expect(&server, &request(line, headers, &chunked(CALL)), &[400]).await;
}

#[tokio::test]
async fn a_length_beside_a_coding_means_nothing_and_ends_the_connection() {
    let server = TestServer::start(signed_service()).await;
    let coding = "Transfer-Encoding: chunked\r\n";
    for headers in [
        length() + coding,
        coding.to_owned() + &length(),
        format!("Content-Length: 4\r\n{coding}"),
        format!("{coding}Content-Length: 4\r\n"),
    ] {
        expect(&server, &request(LINE, &headers, &chunked(CALL)), &[200]).await;
    }
}

#[tokio::test]
async fn chunks_that_are_none_are_refused() {
    let server = TestServer::start(signed_service()).await;
    let n = CALL.len();
    for body in [
        format!("{n:#x}\r\n{CALL}\r\n0\r\n\r\n"),
        format!("+{n:x}\r\n{CALL}\r\n0\r\n\r\n"),
        format!("-{n:x}\r\n{CALL}\r\n0\r\n\r\n"),
        format!(" {n:x}\r\n{CALL}\r\n0\r\n\r\n"),
        format!("\r\n{CALL}\r\n0\r\n\r\n"),
        format!("{n:x}\n{CALL}\n0\n\n"),
        format!("{n:x}\r{CALL}\r0\r\r"),
        format!("{n:x};a\n{CALL}\r\n0\r\n\r\n"),
        format!("{n:x}{CALL}\r\n0\r\n\r\n"),
        format!("1000000000000000{n:x}\r\n{CALL}\r\n0\r\n\r\n"),
        format!("4\r\n{CALL}\r\n0\r\n\r\n"),
        format!("{n:x}\r\n{CALL}0\r\n\r\n"),
        format!("{n:x}\r\n{CALL}\r\n0\r\nno trailer\r\n\r\n"),
        format!("{n:x};{}\r\n{CALL}\r\n0\r\n\r\n", "a".repeat(70_000)),
    ] {
        let headers = "Transfer-Encoding: chunked\r\n";
        expect(&server, &request(LINE, headers, &body), &[400]).await;
    }
}

#[tokio::test]
async fn heads_that_can_be_read_in_two_ways_are_refused() {
    let server = TestServer::start(signed_service()).await;
    for header in [
        "X: a\rb",
        "X: a\rContent-Length: 0",
        "X: a\0b",
        "X: a\u{1}b",
        "X: a\u{7f}b",
        "X\0: a",
        "X : a",
        "X\t: a",
        "\u{e9}: a",
        "X",
        ": a",
        "X: a\r\n b",
        "X: a\r\n\tb",
        " X: a",
        "Host: example.com",
        "Host: other.example",
    ] {
        let headers = format!("{header}\r\n{}", length());
        expect(&server, &request(LINE, &headers, CALL), &[400]).await;
    }
    for (line, status) in [
        (" POST /out-of-session HTTP/1.1", 400),
        ("POST  /out-of-session HTTP/1.1", 400),
        ("POST\t/out-of-session\tHTTP/1.1", 400),
        ("POST /out-of-session HTTP/1.1 ", 400),
        ("POST /out-of- session HTTP/1.1", 400),
        ("POST /out-of-session\0 HTTP/1.1", 400),
        ("POST /out-of-session http/1.1", 400),
        ("POST /out-of-session HTTP/1.2", 400),
        ("POST /out-of-session HTTP/1.10", 400),
        ("POST /out-of-session HTTP/2.0", 400),
        ("POST /out-of-session", 400),
        ("POST example.com:80 HTTP/1.1", 404),
        ("OPTIONS * HTTP/1.1", 404),
        ("CONNECT example.com:80 HTTP/1.1", 404),
        ("post /out-of-session HTTP/1.1", 405),
        ("TRACE /out-of-session HTTP/1.1", 405),
    ] {
        expect(&server, &request(line, &length(), CALL), &[status]).await;
    }
}

#[tokio::test]
async fn what_leaves_http_1_1_is_answered_in_it_or_not_at_all() {
    let server = TestServer::start(signed_service()).await;
    let upgrade = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";
    let headers = upgrade.to_owned() + &length();
    expect(&server, &request(LINE, &headers, CALL), &[200, 200, 404]).await;
    expect(&server, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[]).await;
    // HTTP/1.0 connections are closed, whatever the client asks for.
    let line = "POST /out-of-session HTTP/1.0";
    for headers in [
        length(),
        "Connection: keep-alive\r\n".to_owned() + &length(),
    ] {
        expect(&server, &request(line, &headers, CALL), &[200]).await;
    }
    // The body of a GET is not read, so no request can follow it.
    let ask = Ask::get(&format!("/webhook?{CALL}")).signed_as_asked();
    let hidden = hello().bytes();
    let get = ask.with("Content-Length", &hidden.len().to_string());
    expect(&server, &[get.head(), hidden].concat(), &[200]).await;
}
