//! The page for people: what is live, what it has answered, what is wrong, and what a caller would hear.
//!
//! It shows and decides nothing: what a request would get comes from [`crate::table::preview`]. Of past requests, it
//! has only counts. Numbers are masked unless the service shows them in its log; the table's own are shown whole.

use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use jiff::{SignedDuration, Timestamp};

use crate::service::html::{self, Html, element, element_with, figure, text, text_in, void};
use crate::service::last_hour::Counts;
use crate::service::live::Verification;
use crate::service::reload::{Finding, Origin, ReloadOutcome, State};
use crate::service::responder::{Responder, Snapshot};
use crate::table::condition::{Condition, Subject};
use crate::table::dialogue::{End, Line, Sent};
use crate::table::guard::LOOP_GUARD;
use crate::table::preview::{Entry, Preview, RouteVerdict, preview};
use crate::table::schedule::parse_moment;
use crate::table::{DEFAULT, Route};
use crate::twilio::channel::Channel;
use crate::twilio::number::with_other_numbers_masked;
use crate::twilio::parameters;
use crate::twilio::request::{Form, Webhook, sample};

/// The style of this page alone.
const STYLE: &str = include_str!("page.css");

/// The most routes that are listed.
const ROUTES_MAX: usize = 1000;

/// The most fields of the form that are the table's own.
const FIELDS_MAX: usize = 24;

/// The most characters of a field, as many as in a text message.
const FIELD_MAX: &str = "1600";

/// The names of the form's own fields. Twilio's parameters begin with [`FIELD`], so that none has such a name.
const CHANNEL: &str = "channel";
const WEBHOOK: &str = "webhook";
const AT: &str = "at";
const ACTS: &str = "acts";
const FIELD: &str = "f-";

/// Tags that are used more than once.
const NOTE: &str = r#"p class="note""#;
const COLUMN: &str = r#"th scope="col""#;
const ROW: &str = r#"th scope="row""#;

/// The content security policy: nothing but the page itself and its form.
pub(super) fn policy() -> String {
    html::policy(STYLE, "form-action 'self'; frame-ancestors 'none'")
}

/// The page, for a query that may ask what a request would get.
pub(super) fn page(responder: &Responder, query: &str) -> String {
    let asked = Form::parse(query.as_bytes());
    let snapshot = responder.snapshot();
    let state = responder.state.as_ref().map(|state| state.borrow().clone());
    let page = Page {
        responder,
        snapshot: &snapshot,
        state: state.as_ref(),
        answers: responder.answers(),
        asked: &asked,
    };
    let name = "twiml-responder";
    let version = concat!("Version ", env!("CARGO_PKG_VERSION"), ", running since ");
    let since = page.moment(responder.started);
    let header = [
        text_in("h1", name),
        text_in("p", &format!("{version}{since}")),
    ];
    let main = [
        page.keys(),
        page.ask(),
        page.live(),
        page.routes(),
        page.findings(),
    ];
    let footer = "No number of a caller is on this page, unless you type it. /metrics has the figures for Prometheus.";
    let body = vec![
        element("header", header),
        element("main", main),
        text_in("footer", footer),
    ];
    html::page(name, STYLE, Vec::new(), body)
}

/// What the page is made from.
struct Page<'p> {
    responder: &'p Responder,
    snapshot: &'p Snapshot<'p>,
    state: Option<&'p State>,
    /// Since the start, and in the last hour.
    answers: (Counts, Counts),
    asked: &'p Form,
}

impl Page<'_> {
    fn keys(&self) -> Html {
        let (all, hour) = &self.answers;
        let [all, hour] = [all, hour].map(|counts| counts.values().sum::<u64>());
        let routes = self.snapshot.live.table.routes().len() as u64;
        let hash = self.state.map(|state| format!("table {}", state.hash));
        let service = key("Service", self.word(), self.reasons());
        let answers = key(
            "Answers",
            &figure(all),
            vec![format!("{} in the last hour", figure(hour))],
        );
        let routes = key("Routes", &figure(routes), hash.into_iter().collect());
        element(r#"dl class="keys""#, [service, answers, routes])
    }

    /// The state of the service, in one word.
    fn word(&self) -> &'static str {
        let is_ending = self.responder.is_ending.load(Ordering::SeqCst);
        match self.state {
            _ if is_ending => "ending",
            Some(state) if state.is_degraded() => "degraded",
            _ => "good",
        }
    }

    /// Why it is degraded.
    fn reasons(&self) -> Vec<String> {
        let Some(state) = self.state else {
            return Vec::new();
        };
        let mut reasons = Vec::new();
        if let Origin::LastGood { kept } = state.origin {
            let kept = self.moment(kept);
            reasons.push(format!(
                "the last good copy of the table answers, kept {kept}"
            ));
        }
        match &state.last {
            ReloadOutcome::Good => {}
            ReloadOutcome::Failed { parts, .. } => {
                let parts = parts.iter().map(ToString::to_string);
                let parts = parts.collect::<Vec<_>>().join(" and ");
                reasons.push(format!("what is on disk is bad: {parts}"));
            }
            ReloadOutcome::CutOff { file } => reasons.push(format!(
                "{file} ends in the middle of a line, and waits for the rest or for SIGHUP"
            )),
            ReloadOutcome::Waiting { file, before, rows } => reasons.push(format!(
                "{file} went from {before} to {rows} rows and waits for `systemctl reload` or SIGHUP"
            )),
        }
        reasons
    }

    /// What is in use, without any secret.
    fn live(&self) -> Html {
        let access = &self.snapshot.live.access;
        let signatures = match &access.verification {
            Verification::Signed(secrets) => format!("checked with {}", secrets.described()),
            Verification::AllowUnsigned => {
                "not checked: any process on this machine gets an answer".to_owned()
            }
        };
        let certificate = self.responder.metrics.certificate_expiry();
        let certificate = certificate.map_or("none, plain HTTP".to_owned(), |expiry| {
            format!("valid until {}", self.moment(expiry))
        });
        let urls = self.responder.public_urls.iter().map(ToString::to_string);
        let urls = urls.collect::<Vec<_>>().join(", ");
        let since = self.state.map(|state| self.moment(state.succeeded));
        let rows = [
            ("In use since", since.unwrap_or_default()),
            ("Signatures", signatures),
            ("Certificate", certificate),
            ("Webhooks", self.responder.open_paths().join(", ")),
            ("Public URL", urls),
        ];
        let rows = rows.iter().filter(|(_, value)| !value.is_empty());
        let rows = rows.flat_map(|(name, value)| [text_in("dt", name), text_in("dd", value)]);
        let rows: Vec<Html> = rows.collect();
        element(
            "section",
            [text_in("h2", "Live"), element(r#"dl class="facts""#, rows)],
        )
    }

    /// The routes in their order, each with its conditions in words and how often it has answered.
    fn routes(&self) -> Html {
        let routes = self.snapshot.live.table.routes();
        let rows = routes.iter().take(ROUTES_MAX).map(|route| {
            let mut what = vec![text_in("strong", &route.name)];
            let channels = Channel::ALL.into_iter();
            let channels = channels.filter(|channel| route.reply(*channel).is_some());
            what.extend(channels.map(|channel| text_in(r#"span class="tag""#, channel.as_str())));
            what.extend(
                self.conditions(route)
                    .iter()
                    .map(|line| text_in(NOTE, line)),
            );
            self.row(&route.name, what)
        });
        let mut rows: Vec<Html> = rows.collect();
        let more = routes.len().saturating_sub(ROUTES_MAX) as u64;
        if more > 0 {
            let more = format!("and {} more routes", figure(more));
            rows.push(element("tr", [text_in(ROW, &more)]));
        }
        rows.push(self.row(
            DEFAULT,
            vec![
                text_in("strong", DEFAULT),
                text_in(NOTE, "what no route answers"),
            ],
        ));
        rows.push(self.row(
            LOOP_GUARD,
            vec![
                text_in("strong", LOOP_GUARD),
                text_in(NOTE, "machines, and answers to answers"),
            ],
        ));
        let head = ["route", "answers", "last hour"].map(|name| text_in(COLUMN, name));
        let head = element("thead", [element("tr", head)]);
        let note = "The first that matches answers. Counts are since the start of the service.";
        let table = element("table", [head, element("tbody", rows)]);
        element(
            "section",
            [text_in("h2", "Routes"), text_in(NOTE, note), table],
        )
    }

    fn row(&self, name: &str, what: Vec<Html>) -> Html {
        let (all, hour) = &self.answers;
        let count = |counts: &Counts| figure(counts.get(name).copied().unwrap_or_default());
        let counts = [all, hour].map(|counts| text_in("td", &count(counts)));
        element("tr", [element(ROW, what)].into_iter().chain(counts))
    }

    /// When a route answers, in words. Our own numbers are shown whole.
    fn conditions(&self, route: &Route) -> Vec<String> {
        let step = route.step.as_deref();
        let step = step.map(|step| format!("at step {step}"));
        let when = route.when.words(|condition| {
            let Condition { subject, demand } = condition;
            let words = format!("{subject} is {demand}");
            let is_own = match subject {
                Subject::Parameters(names) => {
                    matches!(&*names.0, [name] if ["Called", "To"].contains(&&**name))
                }
                Subject::Column { .. } => false,
            };
            if is_own {
                words
            } else {
                self.masked(&words, "")
            }
        });
        let mut conditions: Vec<String> = step.into_iter().chain(when).collect();
        if conditions.is_empty() {
            conditions.push("always".to_owned());
        }
        conditions
    }

    /// What was found about the files on disk.
    fn findings(&self) -> Html {
        let findings = self.state.map(|state| state.findings.as_slice());
        let findings = findings.unwrap_or_default();
        let heading = text_in("h2", "Diagnostics");
        if findings.is_empty() {
            let note = "Nothing is wrong with the files on disk.";
            return element("section", [heading, text_in(NOTE, note)]);
        }
        let items = findings.iter().map(finding);
        element(
            "section",
            [heading, element(r#"ul class="findings""#, items)],
        )
    }

    /// The form, and the answer to what it asks.
    fn ask(&self) -> Html {
        let mut parts = vec![
            text_in("h2", "What would this caller hear?"),
            text_in(NOTE, "Nothing is sent, dialled or counted."),
            self.form(),
        ];
        if let Some(asked) = self.asked.first(CHANNEL) {
            parts.extend(self.result(asked));
        }
        element(r#"section id="ask""#, parts)
    }

    fn form(&self) -> Html {
        let given = |name: &str| self.asked.first(name).unwrap_or_default();
        let is_message = given(CHANNEL) == Channel::Message.as_str();
        let is_plain = given(WEBHOOK) == Webhook::Plain.as_str();
        let mut fields = vec![
            choice(
                "Kind",
                CHANNEL,
                &[("voice", "call"), ("message", "text message")],
                is_message,
            ),
            choice(
                "Webhook",
                WEBHOOK,
                &[("out-of-session", "Proxy's"), ("webhook", "a number's")],
                is_plain,
            ),
        ];
        for name in self.fields() {
            let values = &parameters::get(name).values;
            fields.extend(input(
                name,
                &format!("{FIELD}{name}"),
                self.given(name),
                "",
                values,
            ));
        }
        fields.extend(input(
            "Time",
            AT,
            given(AT),
            "now, or 2026-12-24T12:00[America/New_York]",
            &[],
        ));
        let acts = "such as: 1 w 42# busy";
        fields.extend(input(
            "What the caller does then",
            ACTS,
            given(ACTS),
            acts,
            &[],
        ));
        fields.push(text_in(r#"button type="submit""#, "Ask"));
        element(r#"form method="get" action="/#ask""#, fields)
    }

    /// The parameters that the form asks for: the two numbers, the text, and those that conditions ask for.
    fn fields(&self) -> Vec<&str> {
        let always = ["Called", "Caller", "Body"];
        let others = self.snapshot.live.table.asked().into_iter().filter(|name| {
            let is_asked = always.contains(name) || ["To", "From"].contains(name);
            !is_asked && parameters::follow_ups_with(name).is_none()
        });
        always.into_iter().chain(others.take(FIELDS_MAX)).collect()
    }

    /// The value given for a parameter.
    fn given(&self, name: &str) -> &str {
        self.asked
            .first(&format!("{FIELD}{name}"))
            .unwrap_or_default()
    }

    fn result(&self, channel: &str) -> Vec<Html> {
        let channel = Channel::from_name(channel).unwrap_or(Channel::Voice);
        let webhook = self.asked.first(WEBHOOK).and_then(Webhook::from_name);
        let webhook = webhook.filter(|webhook| *webhook == Webhook::Plain);
        let webhook = webhook.unwrap_or(Webhook::OutOfSession);
        let at = self.asked.first(AT).unwrap_or_default().trim();
        let now = match (at, parse_moment(at)) {
            ("", _) => self.snapshot.now,
            (_, Some(at)) => at,
            (_, None) => {
                let problem =
                    "Write the time with its zone or offset: 2026-12-24T12:00[America/New_York].";
                return vec![text_in(r#"p class="problem""#, problem)];
            }
        };
        let is_text = channel == Channel::Message;
        let fields = self
            .fields()
            .into_iter()
            .map(|name| (name, self.given(name)));
        let fields =
            fields.filter(|(name, value)| !value.is_empty() && (is_text || *name != "Body"));
        // The SID says whether it is a call, whatever the fields.
        let given: Form = fields.collect();
        let first = Sent {
            webhook,
            body: sample::filled(&given, channel, webhook),
            query: Form::default(),
        };
        let acts = self.asked.first(ACTS).unwrap_or_default();
        let preview = preview(&self.snapshot.live.table, &first, acts, now);
        let own = self.given("Called");
        vec![
            text_in("h3", "Conversation"),
            self.conversation(&preview, channel, own),
            text_in("h3", "Verdicts"),
            self.verdicts(&preview.verdicts, own),
        ]
    }

    fn conversation(&self, preview: &Preview<'_>, channel: Channel, own: &str) -> Html {
        let entries = preview.entries.iter().map(|entry| match entry {
            Entry::Answered { route, notes } => {
                let notes = notes
                    .iter()
                    .map(|note| text_in(NOTE, &self.masked(note, own)));
                let name = text_in("strong", route);
                element(r#"li class="answered""#, [name].into_iter().chain(notes))
            }
            Entry::Line(line) => self.line(line, own),
            Entry::Did(did) if did.is_empty() => text_in(r#"li class="did""#, "waits"),
            Entry::Did(did) => text_in(r#"li class="did""#, &self.masked(did, own)),
            Entry::Misfit(act) => {
                let act = self.masked(act, own);
                text_in(r#"li class="end""#, &format!("It does not wait for {act}."))
            }
        });
        let end = match &preview.end {
            End::Over => "The call ends.".to_owned(),
            End::HungUp if channel == Channel::Voice => "The caller hangs up.".to_owned(),
            End::HungUp => "No more texts come.".to_owned(),
            End::Elsewhere(url) => {
                format!(
                    "The call continues at {}, which this table does not answer.",
                    self.masked(url, own)
                )
            }
            End::Circle => "The call goes in circles without waiting for anyone.".to_owned(),
        };
        let end = text_in(r#"li class="end""#, &end);
        element(r#"ol class="talk""#, entries.chain([end]))
    }

    fn line(&self, line: &Line, own: &str) -> Html {
        let Line {
            act,
            text: said,
            details,
        } = line;
        let details = self.masked(&details.join(", "), own);
        let mut parts = vec![
            text_in(r#"span class="act""#, act),
            text(" "),
            text_in("span", &self.masked(said, own)),
        ];
        if !details.is_empty() {
            parts.push(text_in(NOTE, &details));
        }
        let tag = match act.as_str() {
            "says" | "texts" => r#"li class="said""#,
            _ => "li",
        };
        element(tag, parts)
    }

    /// The verdict of each route up to the one that answers; those of other steps and channels share one line.
    fn verdicts(&self, verdicts: &[RouteVerdict<'_>], own: &str) -> Html {
        let shown = verdicts.iter().filter(|verdict| !verdict.is_elsewhere);
        let rows = shown.take(ROUTES_MAX).map(|verdict| {
            let (class, why) = match &verdict.reason {
                Some(reason) => (r#"td class="no""#, self.masked(reason, own)),
                None => (r#"td class="yes""#, "answers".to_owned()),
            };
            element("tr", [text_in(ROW, verdict.route), text_in(class, &why)])
        });
        let mut rows: Vec<Html> = rows.collect();
        if verdicts.iter().all(|verdict| verdict.reason.is_some()) {
            let parts = [
                text_in(ROW, DEFAULT),
                text_in(r#"td class="yes""#, "answers"),
            ];
            rows.push(element("tr", parts));
        }
        let table = element(r#"table class="verdicts""#, [element("tbody", rows)]);
        let elsewhere = verdicts
            .iter()
            .filter(|verdict| verdict.is_elsewhere)
            .count() as u64;
        let note = match elsewhere {
            0 => return table,
            1 => "One route of another step or channel is left out.".to_owned(),
            many => format!(
                "{} routes of other steps or channels are left out.",
                figure(many)
            ),
        };
        element("div", [table, text_in(NOTE, &note)])
    }

    /// A text with every number except this one masked, unless the service shows numbers.
    fn masked(&self, text: &str, own: &str) -> String {
        if self.responder.show_numbers {
            text.to_owned()
        } else {
            with_other_numbers_masked(text, own)
        }
    }

    /// A moment, and how far away it is.
    fn moment(&self, at: Timestamp) -> String {
        let clock = at.strftime("%Y-%m-%d %H:%M UTC");
        let since = self.snapshot.now.duration_since(at);
        match since.as_mins() {
            0 => format!("{clock} (now)"),
            ..0 => format!("{clock} (in {})", span(-since)),
            _ => format!("{clock} ({} ago)", span(since)),
        }
    }
}

fn key(name: &str, figure: &str, more: Vec<String>) -> Html {
    let more = more
        .into_iter()
        .map(|more| text_in(r#"dd class="more""#, &more));
    let figure = text_in(r#"dd class="figure""#, figure);
    element("div", [text_in("dt", name), figure].into_iter().chain(more))
}

fn finding(finding: &Finding) -> Html {
    let word = if finding.is_error { "error" } else { "warning" };
    let mut head = word.to_owned();
    if !finding.code.is_empty() {
        let _ = write!(head, " {}", finding.code);
    }
    let mut parts = vec![text_in("strong", &head), text(": "), text(&finding.message)];
    if let Some((file, line, column)) = &finding.place {
        parts.push(text_in(NOTE, &format!("{file}:{line}:{column}")));
    }
    if !finding.help.is_empty() {
        parts.push(text_in(NOTE, &format!("help: {}", finding.help)));
    }
    element("li", parts)
}

/// A choice between two options; `second` selects the second.
fn choice(label: &str, name: &'static str, options: &[(&str, &str); 2], second: bool) -> Html {
    let options = options.iter().zip([!second, second]);
    let options = options.map(|((value, label), is_chosen)| {
        let mut attributes = vec![("value", *value)];
        if is_chosen {
            attributes.push(("selected", "selected"));
        }
        element_with("option", &attributes, [text(label)])
    });
    let select = element_with("select", &[("name", name)], options);
    element("label", [text_in("span", label), select])
}

/// A field with a label and suggested values.
fn input(label: &str, name: &str, value: &str, hint: &str, values: &[&str]) -> Vec<Html> {
    let list = format!("values-{name}");
    let mut attributes = vec![
        ("name", name),
        ("value", value),
        ("placeholder", hint),
        ("maxlength", FIELD_MAX),
        ("autocomplete", "off"),
    ];
    if !values.is_empty() {
        attributes.push(("list", &list));
    }
    let input = void("input", &attributes);
    let mut parts = vec![element("label", [text_in("span", label), input])];
    if !values.is_empty() {
        let options = values
            .iter()
            .map(|value| void("option", &[("value", value)]));
        parts.push(element_with("datalist", &[("id", &list)], options));
    }
    parts
}

/// A duration, in its largest unit.
fn span(span: SignedDuration) -> String {
    let minutes = span.as_mins();
    let (count, unit) = match minutes {
        0..60 => (minutes, "minute"),
        60..2880 => (minutes / 60, "hour"),
        _ => (minutes / 1440, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}
