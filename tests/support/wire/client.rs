//! One connection, and the answers on it.

use quick_xml::Reader;
use quick_xml::events::Event;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::wire::within;

/// One connection.
pub struct Client<S> {
    pub stream: S,
    pub received: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            received: Vec::new(),
        }
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        within("sending", self.stream.write_all(bytes))
            .await
            .expect("the server reads");
    }

    /// Reads more; false at the end.
    pub async fn read_more(&mut self) -> bool {
        within("reading", self.stream.read_buf(&mut self.received))
            .await
            .expect("no reset")
            > 0
    }

    /// The next answer, with its body; not for answers to HEAD.
    pub async fn answer(&mut self) -> Got {
        let mut got = self.head().await;
        let length = got
            .header("content-length")
            .map_or(0, |length| length.parse().expect("a length"));
        while self.received.len() < length {
            assert!(self.read_more().await, "closed within a body");
        }
        let body = self.received.drain(..length).collect();
        got.body = String::from_utf8(body).expect("UTF-8");
        got
    }

    pub async fn head(&mut self) -> Got {
        let end = loop {
            if let Some(end) = self
                .received
                .windows(4)
                .position(|four| four == b"\r\n\r\n")
            {
                break end;
            }
            assert!(
                self.read_more().await,
                "closed within a head: {:?}",
                String::from_utf8_lossy(&self.received)
            );
        };
        let head = self.received.drain(..end + 4).collect();
        Got::read(&String::from_utf8(head).expect("an ASCII head"))
    }

    /// Asserts that the server closes the connection without sending anything more.
    pub async fn expect_close(&mut self) {
        while self.read_more().await {}
        assert_eq!(String::from_utf8_lossy(&self.received), "");
    }
}

/// An answer.
#[derive(Debug)]
pub struct Got {
    pub version: String,
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Got {
    pub fn read(head: &str) -> Self {
        let mut lines = head.split("\r\n").filter(|line| !line.is_empty());
        let mut words = lines.next().expect("a status line").split(' ');
        let version = words.next().expect("a version").to_owned();
        let status = words.next().and_then(|word| word.parse().ok());
        let headers = lines
            .map(|line| line.split_once(": ").expect("a header"))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        Self {
            version,
            status: status.expect("a status"),
            headers,
            body: String::new(),
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(header, _)| header == name);
        let value = values.next();
        assert!(values.next().is_none(), "{name} twice: {self:?}");
        value.map(|(_, value)| value.as_str())
    }

    /// Asserts that it is a well-formed document from this route.
    #[track_caller]
    pub fn expect_document(&self, route: &str) -> &str {
        assert_eq!(self.status, 200, "{self:?}");
        assert_eq!(
            self.header("content-type"),
            Some("application/xml; charset=utf-8")
        );
        assert_eq!(
            self.header("content-length"),
            Some(&*self.body.len().to_string())
        );
        assert_eq!(self.header("twiml-route"), Some(route), "{self:?}");
        assert_eq!(root_of(&self.body), "Response");
        &self.body
    }
}

/// The name of a document's root element; panics when the document is not well formed.
#[track_caller]
pub fn root_of(document: &str) -> String {
    assert!(document.starts_with("<?xml"), "{document}");
    let mut reader = Reader::from_str(document);
    let mut depth = 0;
    let mut roots = Vec::new();
    loop {
        let event = reader.read_event().expect("well-formed XML");
        if depth == 0
            && let Event::Start(tag) | Event::Empty(tag) = &event
        {
            roots.push(tag.name().as_ref().to_owned());
        }
        match event {
            Event::Start(_) => depth += 1,
            Event::End(_) => depth -= 1,
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!((depth, roots.len()), (0, 1), "{document}");
    roots.remove(0)
}
