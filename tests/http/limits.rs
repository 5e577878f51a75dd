//! Exact limits: the largest allowed size is answered, and one more byte is refused.

use crate::wire::ask::{Ask, hello};
use crate::wire::server::TestServer;
use crate::wire::{CALL, signed_service};

/// The size of the largest head, in bytes: request line, headers and the empty line.
const HEAD: usize = 64 * 1024;
/// The size of the largest body, in bytes.
const BODY: usize = 256 * 1024;
/// The most headers.
const HEADERS: usize = 100;

/// The status of the answer to these pieces, sent one at a time.
async fn status(server: &TestServer, pieces: &[&[u8]]) -> u16 {
    let mut client = server.connect().await;
    for piece in pieces {
        client.send(piece).await;
        tokio::task::yield_now().await;
    }
    client.answer().await.status
}

#[tokio::test]
async fn a_head_has_64_kibibytes_at_most() {
    let server = TestServer::start(signed_service()).await;
    let target = format!("/webhook?{CALL}");
    for (bytes, expected) in [
        (HEAD - 1, 200),
        (HEAD, 200),
        (HEAD + 1, 431),
        (HEAD + 100, 431),
    ] {
        let room = |request: &Ask| bytes - request.head().len();
        let request = Ask::get(&target).signed_as_asked().with("X", "");
        let in_headers = Ask::get(&target)
            .signed_as_asked()
            .with("X", &"a".repeat(room(&request)));
        let request = Ask::get(&format!("{target}&x=")).signed_as_asked();
        let in_line =
            Ask::get(&format!("{target}&x={}", "a".repeat(room(&request)))).signed_as_asked();
        for request in [in_headers, in_line] {
            let head = request.head();
            assert_eq!(head.len(), bytes);
            for split in [0, 10, bytes / 2, bytes - 1] {
                let (first, rest) = head.split_at(split);
                assert_eq!(
                    status(&server, &[first, rest]).await,
                    expected,
                    "{bytes}, {split}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_head_has_100_headers_at_most() {
    let server = TestServer::start(signed_service()).await;
    for (count, expected) in [(HEADERS, 200), (HEADERS + 1, 431)] {
        let mut request = hello();
        // Host and Content-Length are added automatically.
        while request.headers.len() < count - 2 {
            request = request.with("X", "y");
        }
        assert_eq!(server.ask(&request).await.status, expected, "{count}");
    }
}

#[tokio::test]
async fn a_body_has_256_kibibytes_at_most() {
    let server = TestServer::start(signed_service()).await;
    for (bytes, expected) in [(BODY - 1, 200), (BODY, 200), (BODY + 1, 413)] {
        let body = format!("{CALL}&Body={}", "a".repeat(bytes - CALL.len() - 6));
        let request = Ask::post("/webhook", &body).signed_as_asked();
        assert_eq!(server.ask(&request).await.status, expected, "{bytes}");
        let head = request.with("Transfer-Encoding", "chunked").head();
        for size in [bytes, 1000, 65_536] {
            let mut chunks: Vec<u8> = Vec::new();
            for piece in body.as_bytes().chunks(size) {
                chunks.extend(format!("{:x}\r\n", piece.len()).bytes());
                chunks.extend(piece);
                chunks.extend(b"\r\n");
            }
            chunks.extend(b"0\r\n\r\n");
            assert_eq!(
                status(&server, &[&head, &chunks]).await,
                expected,
                "{bytes} by {size}"
            );
        }
    }
}
