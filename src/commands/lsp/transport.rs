//! Messages in and out: a header with the length, then JSON.

use std::io::{self, BufRead, Read};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use lsp_server::Message;

use crate::commands::output::complain;
use crate::service::table_file::MAX_TABLE;

/// The most bytes of a message: a whole table, with every character escaped twice.
const MOST_BYTES: u64 = 4 * MAX_TABLE;

/// The longest line of a header.
const LONGEST_LINE: u64 = 1024;

/// The most messages that are read ahead; more wait in the editor.
const MOST_WAITING: usize = 64;

/// The messages on standard input; none follow after its end or an error.
pub(super) fn messages() -> Receiver<io::Result<Message>> {
    let (sender, receiver) = sync_channel(MOST_WAITING);
    thread::spawn(move || {
        let mut input = io::stdin().lock();
        while let Some(message) = read(&mut input).transpose() {
            let is_last = message.is_err();
            if sender.send(message).is_err() || is_last {
                break;
            }
        }
    });
    receiver
}

/// The next message; one that is not JSON is skipped. `None` at the end.
fn read(input: &mut impl BufRead) -> io::Result<Option<Message>> {
    let invalid = |text: String| io::Error::new(io::ErrorKind::InvalidData, text);
    loop {
        let mut length = None;
        loop {
            let mut line = String::new();
            if input.by_ref().take(LONGEST_LINE).read_line(&mut line)? == 0 {
                return Ok(None);
            }
            let Some(line) = line.strip_suffix('\n') else {
                return Err(invalid(format!(
                    "a header is cut or longer than {LONGEST_LINE} bytes"
                )));
            };
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            let header = line.split_once(':');
            if let Some((name, value)) = header
                && name.eq_ignore_ascii_case("Content-Length")
            {
                length = value.trim().parse::<u64>().ok();
            }
        }
        let length = length.ok_or_else(|| invalid("a header has no Content-Length".to_owned()))?;
        if length > MOST_BYTES {
            return Err(invalid(format!(
                "a message of {length} bytes is longer than {MOST_BYTES}"
            )));
        }
        let mut bytes = Vec::new();
        input.by_ref().take(length).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != length {
            return Ok(None);
        }
        match serde_json::from_slice(&bytes) {
            Ok(message) => return Ok(Some(message)),
            Err(error) => complain(&format!(
                "warning: ignoring a message that cannot be read: {error}"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_whole_and_never_more_than_that() {
        let exit = r#"{"jsonrpc":"2.0","method":"exit"}"#;
        let framed = |json: &str| format!("Content-Length: {}\r\n\r\n{json}", json.len());
        let read = |text: &str| {
            let message = read(&mut text.as_bytes());
            let message = message.map(|message| message.map(|message| format!("{message:?}")));
            message.map_err(|error| error.to_string())
        };
        let is_exit = |text: &str| {
            read(text).is_ok_and(|found| found.is_some_and(|found| found.contains("exit")))
        };
        assert!(is_exit(&framed(exit)));
        assert!(is_exit(&format!("{}{}", framed("{"), framed(exit))));
        assert!(is_exit(&format!(
            "content-length:33\nContent-Type: x\n\n{exit}"
        )));
        for text in ["", "Content-Length: 5\r\n\r\n{}"] {
            assert_eq!(read(text), Ok(None), "{text}");
        }
        for (text, error) in [
            (
                "Content-Length: 99999999999999\r\n\r\n",
                "a message of 99999999999999 bytes is longer than 67108864",
            ),
            (
                "Content-Length: -1\r\n\r\n",
                "a header has no Content-Length",
            ),
            (
                &"x".repeat(5000),
                "a header is cut or longer than 1024 bytes",
            ),
        ] {
            assert_eq!(read(text), Err(error.to_owned()));
        }
    }
}
