//! The load: keep-alive connections with a request always in flight, or one request at a time at a fixed pace.
//!
//! One blocking thread with two system calls per request, so that the load itself is not what is measured.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use twiml_responder::twilio::request::Form;
use twiml_responder::twilio::signature::{Algorithm, Content, Secret, sign};

use crate::{Result, support};

const CONNECTIONS: usize = 64;

/// The number of different calls, each with its own token, so that the guard never sees a call come back.
const CALLS: usize = 1024;

const PACE: Duration = Duration::from_micros(200);

/// Signed requests, as raw bytes.
pub struct Requests(Vec<Vec<u8>>);

impl Requests {
    pub fn signed() -> Self {
        let secret = Secret::new(support::TOKEN);
        let request = |call: usize| {
            let sid = format!("CA{call:032x}");
            let body = String::from_utf8(support::body()).expect("a form is ASCII");
            let body = body.replace("CA00000000000000000000000000000001", &sid);
            assert!(body.contains(&sid), "the complete form has a CallSid");
            let form = Form::parse(body.as_bytes());
            let signature = sign(
                &secret,
                Algorithm::HmacSha1,
                support::URL,
                Content::Form(&form),
            );
            format!(
                "POST /out-of-session HTTP/1.1\r\nHost: example.com\r\nUser-Agent: TwilioProxy/1.1\r\nAccept: */*\r\n\
                 Content-Type: application/x-www-form-urlencoded; charset=UTF-8\r\nContent-Length: {}\r\n\
                 X-Twilio-Signature: {signature}\r\nI-Twilio-Idempotency-Token: {call:036}\r\nX-Home-Region: us1\r\n\r\n{body}",
                body.len()
            )
            .into_bytes()
        };
        Self((0..CALLS).map(request).collect())
    }

    pub fn first(&self) -> &[u8] {
        &self.0[0]
    }
}

/// How many answers came, in what time.
pub struct Answered {
    pub count: u32,
    pub time: Duration,
}

/// The connections to one server.
pub struct Load<'r> {
    connections: Vec<TcpStream>,
    requests: &'r Requests,
    next: usize,
    /// A buffer for an answer. All answers have the same length.
    answer: Vec<u8>,
}

impl<'r> Load<'r> {
    /// Opens the connections. The first answer must have status 200 and the text of the route.
    pub fn connect(port: u16, requests: &'r Requests) -> Result<Self> {
        let mut connections = Vec::with_capacity(CONNECTIONS);
        for _ in 0..CONNECTIONS {
            let connection = TcpStream::connect(("127.0.0.1", port))?;
            connection.set_nodelay(true)?;
            connection.set_read_timeout(Some(Duration::from_secs(10)))?;
            connections.push(connection);
        }
        let mut first = vec![0; 4096];
        connections[0].write_all(&requests.0[0])?;
        let mut length = 0;
        while !first[..length].ends_with(b"</Response>") {
            length += match connections[0].read(&mut first[length..])? {
                0 => {
                    return Err(String::from_utf8_lossy(&first[..length])
                        .into_owned()
                        .into());
                }
                more => more,
            };
        }
        first.truncate(length);
        let text = String::from_utf8_lossy(&first);
        if !text.starts_with("HTTP/1.1 200") || !text.contains("This ride has ended.") {
            return Err(format!("not the route's answer: {text}").into());
        }
        let mut load = Self {
            connections,
            requests,
            next: 0,
            answer: first,
        };
        // The service soon closes a connection that sends no request.
        for connection in 1..CONNECTIONS {
            load.send(connection)?;
            load.receive(connection)?;
        }
        Ok(load)
    }

    fn send(&mut self, connection: usize) -> Result<()> {
        self.next = (self.next + 1) % CALLS;
        Ok(self.connections[connection].write_all(&self.requests.0[self.next])?)
    }

    fn receive(&mut self, connection: usize) -> Result<()> {
        self.connections[connection].read_exact(&mut self.answer)?;
        if !self.answer.ends_with(b"</Response>") {
            return Err("an answer of another length".into());
        }
        Ok(())
    }

    /// Keeps a request in flight on every connection.
    pub fn saturate(&mut self, time: Duration) -> Result<Answered> {
        let begin = Instant::now();
        for connection in 0..CONNECTIONS {
            self.send(connection)?;
        }
        // Counts rounds over all connections; the first round has already been sent.
        let mut count = 1;
        while begin.elapsed() < time {
            for connection in 0..CONNECTIONS {
                self.receive(connection)?;
                self.send(connection)?;
            }
            count += 1;
        }
        for connection in 0..CONNECTIONS {
            self.receive(connection)?;
        }
        Ok(Answered {
            count: count * u32::try_from(CONNECTIONS)?,
            time: begin.elapsed(),
        })
    }

    /// Sends 5,000 requests a second, and measures each from the time at which it was due.
    pub fn at_a_pace(&mut self, time: Duration) -> Result<Vec<Duration>> {
        let begin = Instant::now();
        let mut latencies = Vec::new();
        let mut due = begin;
        while begin.elapsed() < time {
            while Instant::now() < due {
                std::hint::spin_loop();
            }
            let connection = latencies.len() % CONNECTIONS;
            self.send(connection)?;
            self.receive(connection)?;
            latencies.push(due.elapsed());
            due += PACE;
        }
        Ok(latencies)
    }
}
