//! `call`: a telephone in the terminal. The person calls or texts, and hears or reads what the table answers.

use std::collections::VecDeque;
use std::fs::OpenOptions;
use std::io::{self, BufRead, IsTerminal, Write};
use std::mem;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use jiff::Timestamp;

use super::Outcome;
use super::load_table::{TableOption, load_table};
use super::output::{self, shown};
use super::request_fields::{RequestFields, moment, warn_of_fields, webhook_parser};
use crate::table::answer::Answer;
use crate::table::dialogue::{self, Conversation, End, Input, Line, Person, Question, Sent, notes};
use crate::table::remedy::quoted;
use crate::twilio::channel::Channel;
use crate::twilio::request::{Form, Request, Webhook, sample};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "When the call waits, press keys (1, 42#), say words, or choose how a Dial ends (busy).\n\
    An empty line waits for the timeout; Ctrl-D hangs up."
)]
pub(super) struct Arguments {
    #[command(flatten)]
    table: TableOption,
    /// Send text messages instead of calling
    #[arg(short, long)]
    message: bool,
    /// Ask this webhook: out-of-session or webhook
    #[arg(
        long,
        value_parser = webhook_parser([Webhook::OutOfSession, Webhook::Plain]),
        hide_possible_values = true,
        default_value = "out-of-session"
    )]
    webhook: Webhook,
    /// Call at this time: 2026-12-24T12:00Z, or with a zone in brackets
    #[arg(long, value_name = "TIME", value_parser = moment)]
    at: Option<Timestamp>,
    /// Press, say or text these instead of asking, such as "1 w 42# busy"; w waits
    #[arg(long, value_name = "KEYS")]
    keys: Option<String>,
    /// Write the conversation as a [[test]] into a new file, or - for standard output
    #[arg(long, value_name = "FILE")]
    save_test: Option<PathBuf>,
    #[command(flatten)]
    fields: RequestFields,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome> {
    let mut given = arguments.fields.form()?;
    let compiled = load_table(&arguments.table.table, arguments.table.limit)?;
    warn_of_fields(&given, Some(&compiled.own_parameters));
    let table = compiled.table;
    let webhook = arguments.webhook;
    let channel = sample::channel(&given, webhook, arguments.message);
    let mut telephone = Telephone {
        hand: match &arguments.keys {
            Some(keys) => Hand::Script(dialogue::script(keys)),
            None => Hand::Person,
        },
        misfit: None,
        done: Form::default(),
        steps: Vec::new(),
    };
    if channel == Channel::Message && given.first("Body").is_none() {
        let Some(text) = telephone.texts() else {
            return Ok(Outcome::Yes);
        };
        given = given.pairs().chain(text.pairs()).collect();
    }
    let first = Sent {
        webhook,
        body: sample::filled(&given, channel, webhook),
        query: Form::default(),
    };
    let now = arguments.at.unwrap_or_else(Timestamp::now);
    let end = Conversation::new(&table, first.clone(), now).with(&mut telephone);
    match end {
        End::Over => output::print("The call ends."),
        End::HungUp if channel == Channel::Voice => output::print("The caller hangs up."),
        End::HungUp => {}
        End::Elsewhere(url) => {
            let url = shown(&url);
            output::print(&format!(
                "The call continues at {url}, which this table does not answer."
            ));
        }
        End::Circle => output::print("The call goes in circles without waiting for anyone."),
    }
    if let Some(path) = &arguments.save_test {
        let request = Request::new(webhook, &first.body, &first.query);
        let mut routes = table.routes().iter();
        let needs_time = routes.any(|route| route.when.needs_time(&request));
        let moment = (needs_time || arguments.at.is_some()).then_some(now);
        write_test(path, &telephone.test(&given, channel, webhook, moment))?;
    }
    let misfit = telephone.misfit();
    if let Some(misfit) = &misfit {
        output::complain(&format!("error: {misfit}"));
    }
    Ok(Outcome::from(misfit.is_none()))
}

/// The terminal as a telephone.
struct Telephone {
    hand: Hand,
    /// Why an input was not possible.
    misfit: Option<String>,
    /// The input since the last answer, as the fields in which Twilio reports it in the next request.
    done: Form,
    /// The input before each request, and the route that answered.
    steps: Vec<(Form, String)>,
}

/// Where it comes from what is pressed.
enum Hand {
    /// From these words, one after the other.
    Script(VecDeque<String>),
    /// From standard input, one per line.
    Person,
}

impl Telephone {
    /// What is typed next, without its line end; `None` at the end. Input that does not come from a terminal is printed.
    fn typed(&mut self, prompt: &str) -> Option<String> {
        let words = match &mut self.hand {
            Hand::Script(words) => words.pop_front(),
            Hand::Person => {
                output::prompt(&format!("{prompt}> "));
                let mut line = Vec::new();
                let read = io::stdin().lock().read_until(b'\n', &mut line);
                if !matches!(read, Ok(bytes) if bytes > 0) {
                    output::print("");
                    return None;
                }
                let line = String::from_utf8_lossy(&line);
                let line = line.trim_end_matches(['\r', '\n']).to_owned();
                if !io::stdin().is_terminal() {
                    output::print(&shown(&line));
                }
                return Some(line);
            }
        };
        let word = words?;
        output::print(&format!("> {}", shown(&word)));
        Some(word)
    }

    /// Whether the person can try again after an impossible input.
    fn may_try_again(&self) -> bool {
        matches!(self.hand, Hand::Person) && io::stdin().is_terminal()
    }

    /// What part of the input was not possible, or was left over from the script.
    fn misfit(&self) -> Option<String> {
        let left = match &self.hand {
            Hand::Script(words) => words.front(),
            Hand::Person => None,
        };
        let left = left.map(|word| format!("nothing is waiting for {:?}", shown(word)));
        self.misfit.clone().or(left)
    }

    /// The conversation as a test.
    fn test(
        &self,
        given: &Form,
        channel: Channel,
        webhook: Webhook,
        at: Option<Timestamp>,
    ) -> String {
        let routes = self.steps.iter().map(|(_, route)| route.as_str());
        let name = routes.clone().collect::<Vec<_>>().join(", then ");
        let mut lines = vec!["[[test]]".to_owned(), format!("name = {}", quoted(&name))];
        if webhook != Webhook::OutOfSession {
            lines.push(format!("webhook = {}", quoted(webhook.as_str())));
        }
        if channel == Channel::Message {
            lines.push(format!("channel = {}", quoted(channel.as_str())));
        }
        if let Some(at) = at {
            lines.push(format!("at = {}", quoted(&format!("{at:.0}"))));
        }
        let pairs = given.pairs().map(pair).collect::<Vec<_>>().join(", ");
        lines.push(format!("request = {{ {pairs} }}"));
        let expect = |route: &str| format!("expect = {}", quoted(route));
        let mut steps = self.steps.iter();
        lines.extend(steps.next().map(|(_, route)| expect(route)));
        let mut steps = steps.peekable();
        if steps.peek().is_some() {
            lines.push("steps = [".to_owned());
            lines.extend(steps.map(|(done, route)| {
                let parts = done.pairs().map(pair).chain([expect(route)]);
                format!("  {{ {} }},", parts.collect::<Vec<_>>().join(", "))
            }));
            lines.push("]".to_owned());
        }
        lines.join("\n")
    }
}

/// A field as TOML.
fn pair((name, value): (&str, &str)) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    let value = quoted(value);
    if name.chars().all(is_bare) {
        format!("{name} = {value}")
    } else {
        format!("{} = {value}", quoted(name))
    }
}

/// Writes a test into a new file, or to standard output.
fn write_test(path: &Path, test: &str) -> Result<()> {
    if path == Path::new("-") {
        output::print(&format!("\n{test}"));
        return Ok(());
    }
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    file.and_then(|mut file| writeln!(file, "{test}"))
        .with_context(|| format!("cannot write the test to {}", path.display()))
}

/// The note after a line; empty when there is none.
fn in_brackets(parts: &[String]) -> String {
    let parts: Vec<String> = parts.iter().map(|part| shown(part)).collect();
    match parts.as_slice() {
        [] => String::new(),
        parts => format!("  \u{1b}[2m({})\u{1b}[0m", parts.join(", ")),
    }
}

impl Person for Telephone {
    fn is_answered(&mut self, sent: &Sent, answer: &Answer<'_>) {
        let mut why = notes(answer);
        let request = Request::new(sent.webhook, &sent.body, &sent.query);
        if self.steps.is_empty() && request.value("Caller").is_empty() {
            why.push("no Caller is given, so the caller counts as withheld".to_owned());
        }
        output::print_coloured(&format!(
            "\u{1b}[1m{}\u{1b}[0m{}",
            answer.route,
            in_brackets(&why)
        ));
        let done = mem::take(&mut self.done);
        self.steps.push((done, answer.route.to_owned()));
    }

    fn notices(&mut self, line: Line) {
        let text = shown(&line.text);
        output::print_coloured(&format!(
            "  {:8} {text}{}",
            line.act,
            in_brackets(&line.details)
        ));
    }

    fn acts(&mut self, question: &Question) -> Option<Input> {
        loop {
            let typed = self.typed(&question.choices())?;
            match question.input(&typed) {
                Ok(input) => {
                    if let Input::Fields(fields) = &input
                        && question.leads_on(&input)
                    {
                        self.done = fields.clone();
                    }
                    return Some(input);
                }
                Err(reason) if self.may_try_again() => output::print(&format!("  {reason}")),
                Err(reason) => {
                    self.misfit = Some(format!(
                        "{:?} is not possible here: {reason}",
                        shown(&typed)
                    ));
                    return None;
                }
            }
        }
    }

    fn texts(&mut self) -> Option<Form> {
        let text = self.typed("text")?;
        if text.is_empty() {
            return None;
        }
        self.done = [("Body", text)].into_iter().collect();
        Some(self.done.clone())
    }
}
