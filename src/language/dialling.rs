//! Whom a Dial calls and which number it shows: reports a `callerId` that cannot be shown, and a number that dials
//! itself.

use super::elements::Written;
use super::names::{CellCheck, Fixed, Names, Reader, Rule, Uses};
use super::values::BAD_NUMBER;
use crate::table::condition::{Demand, Passing, Seen, Subject};
use crate::table::diagnostic::Check;
use crate::table::problems::{Place, Problems};
use crate::table::reply::Node;
use crate::table::when::Alternative;
use crate::twilio::channel::Channel;
use crate::twilio::facts::Known;
use crate::twilio::number::E164;
use crate::twilio::vocabulary::Destination;

pub(super) static DIALS_ITSELF: Check = Check::new(
    "dials-itself",
    "A route dials the number that was called, or a row connects callers with their own number. In the first case, each leg
is a new call, which the same route answers by dialling again, and each one is billed. Dial the number of the person or
device that should answer.",
    r#"when = { Called = "+15005550006" }
voice = [ { Dial = "+15005550006" } ]"#,
);

/// The attribute with the number that the dialled party sees.
const CALLER_ID: &str = "callerId";

/// Checks that Twilio can show a Dial's caller id to everybody whom the Dial reaches.
///
/// Source: <https://www.twilio.com/docs/voice/twiml/dial#callerid>.
pub(super) fn check_caller_id(reader: &mut Reader<'_>, written: &Written<'_>) {
    let Some((caller_id, place)) = written.attribute(CALLER_ID) else {
        return;
    };
    if caller_id.spec.takes_anything {
        return;
    }
    let element = &written.element;
    for node in &element.content {
        let spec = match node {
            Node::Text(_) => element.spec,
            Node::Element(noun) => noun.spec,
        };
        let Some(wanted) = spec.caller else { continue };
        match Fixed::of(&caller_id.value) {
            Some(Fixed::Literal(literal)) => {
                let problems = &mut *reader.problems;
                let file = problems.file().clone();
                if let Err(error) = wanted.check(&literal)
                    && !problems.has_reported(&BAD_NUMBER, &file, place)
                {
                    let (whom, help) = match wanted {
                        Destination::SipCaller => ("a SIP address", "write a name or an extension"),
                        Destination::ClientCaller => ("a client", "write a number, or client:NAME"),
                        _ => ("a phone number", NUMBER_HELP),
                    };
                    let message = format!(
                        "`callerId` cannot be \"{literal}\" where {whom} is dialled: {error}"
                    );
                    problems.twilio_error(13214, &BAD_NUMBER, place, message, help);
                }
            }
            Some(Fixed::Column(directory, column)) => reader.uses.cells.push(CellCheck {
                directory,
                column,
                rule: Rule::Destination(wanted),
                is_required: false,
                place: "`callerId` of `Dial`".to_owned(),
                span: place.clone(),
            }),
            None => {}
        }
    }
}

const NUMBER_HELP: &str = "write a number of your Twilio account, such as +15005550006, or leave `callerId` out to show \
                           the number that was called";

/// Reports telephones that a route dials when it answers calls to those very telephones.
pub(super) fn check_dialled(
    names: &Names,
    problems: &mut Problems,
    alternatives: &[Alternative],
    uses: &Uses,
) {
    let is_number = |text: &str| text.parse::<E164>().is_ok();
    for (dialled, span) in &uses.telephones {
        match dialled {
            Fixed::Literal(number) => {
                let mut alternatives = alternatives.iter();
                if is_number(number) && alternatives.any(|one| is_pinned_to(one, number)) {
                    report(problems, number, span);
                }
            }
            Fixed::Column(name, column) => {
                let Some(Some(file)) = names.directories.get(name) else {
                    continue;
                };
                let directory = &file.directory;
                // The position of the called number in the key, if it chooses the row.
                let bindings = alternatives.iter().flat_map(|one| &one.bindings);
                let mut bindings = bindings.filter(|one| one.directory.name() == name);
                let called = bindings.find_map(|binding| {
                    let mut parameters = binding.parameters.0.iter();
                    parameters.position(|parameter| is_called(parameter))
                });
                let dials_itself = |(row, cell): &(_, &str)| match called {
                    Some(place) => directory.key(*row)[place] == *cell,
                    None => alternatives.iter().any(|one| is_pinned_to(one, cell)),
                };
                let rows = directory.cells(*column).filter(dials_itself);
                let rows = rows.filter(|(_, cell)| is_number(cell));
                for (row, number) in rows {
                    let (file, span) = file.place(row, *column);
                    if !problems.has_reported(&DIALS_ITSELF, &file, &span) {
                        report(problems, number, (file, span));
                    }
                }
            }
        }
    }
}

fn report(problems: &mut Problems, number: &str, place: impl Into<Place>) {
    let message = format!("a call to {number} would dial {number} again, and so on");
    let help = "dial the number of the person or device that should answer";
    problems.warn(&DIALS_ITSELF, place, message, help);
}

/// Whether a table of `when` names exactly this number as the called number.
fn is_pinned_to(alternative: &Alternative, number: &str) -> bool {
    let is_outbound = |demand: &Demand| {
        let inbound = Seen {
            values: &[Known::Whole("inbound".into())],
            is_cell: false,
            withheld: None,
            channel: Some(Channel::Voice),
            now: None,
        };
        demand.holds(&inbound) == Some(false)
    };
    let on = |wanted: fn(&str) -> bool| {
        let conditions = alternative.conditions.iter();
        let on_it = conditions.filter(move |one| match &one.subject {
            Subject::Parameters(names) => matches!(&*names.0, [name] if wanted(name)),
            Subject::Column { .. } => false,
        });
        on_it.map(|one| &one.demand)
    };
    // In an outbound call, the called number is the other party's.
    on(is_called).any(|demand| names_value(demand, number))
        && !on(|parameter| parameter == "Direction").any(is_outbound)
}

/// Whether a parameter has the called number.
fn is_called(parameter: &str) -> bool {
    matches!(parameter, "Called" | "To")
}

/// Whether a demand names a value: alone, in a list, or as a directory's key.
fn names_value(demand: &Demand, value: &str) -> bool {
    match demand {
        Demand::Is(kind) => match kind.passing() {
            Passing::Known(Known::Whole(text)) => text == value,
            Passing::Known(_) => false,
            Passing::KeyOf(directory) => directory
                .row(&[value])
                .is_some_and(|row| *directory.key(row) == [value]),
        },
        Demand::AnyOf(some) | Demand::AllOf(some) => some.iter().any(|one| names_value(one, value)),
        Demand::Not(_) => false,
    }
}
