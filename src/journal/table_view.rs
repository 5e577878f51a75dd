//! What a table adds to the figures: names for numbers, and the routes for a number.

use std::ptr;

use jiff::Timestamp;

use crate::journal::pinned::OWN;
use crate::table::Table;
use crate::table::condition::{Condition, Demand, Passing, Subject};
use crate::table::directory::Directory;
use crate::table::when::Alternative;
use crate::twilio::request::{Form, Request, Webhook};

/// The column with the name for a number.
const NAME: &str = "name";

/// What a table says about the numbers in its journal.
#[derive(Debug)]
pub(crate) struct TableView<'t> {
    table: &'t Table,
    /// The directories where our own numbers are looked up and have names, each with the position of the name column.
    directories: Vec<(&'t Directory, usize)>,
}

impl<'t> TableView<'t> {
    pub(crate) fn of(table: &'t Table) -> Self {
        let mut directories = Vec::new();
        for condition in conditions(table).filter(|condition| is_on_own(condition)) {
            add_named(&condition.demand, &mut directories);
        }
        Self { table, directories }
    }

    /// The name of one of our own numbers in a directory.
    pub(crate) fn name_of(&self, number: &str) -> Option<&str> {
        let mut names = self.directories.iter().filter_map(|(directory, column)| {
            let name = directory.cell(directory.row(&[number])?, *column);
            Some(name).filter(|name| !name.is_empty())
        });
        names.next()
    }

    /// The names of the routes for one of our own numbers: those with a condition on our number that this one meets.
    pub(crate) fn routes_for(&self, number: &str) -> Vec<&'t str> {
        let (body, query) = ([("Called", number)].into_iter().collect(), Form::default());
        let request = Request::new(Webhook::Plain, &body, &query);
        let is_for = |alternative: &Alternative| {
            let mut own = alternative.conditions.iter().filter(|one| is_on_own(one));
            let mut all = own.clone();
            let holds = |condition: &Condition| condition.holds(&request, Timestamp::UNIX_EPOCH);
            own.next().is_some() && all.all(|condition| holds(condition) == Some(true))
        };
        let routes = self.table.routes().iter();
        let routes = routes.filter(|route| route.step.is_none());
        routes
            .filter(|route| route.when.alternatives.iter().any(is_for))
            .map(|route| &*route.name)
            .collect()
    }
}

/// The conditions of all routes.
fn conditions(table: &Table) -> impl Iterator<Item = &Condition> {
    let routes = table.routes().iter();
    let alternatives = routes.flat_map(|route| &route.when.alternatives);
    alternatives.flat_map(|alternative| &alternative.conditions)
}

/// Whether a condition is on our own number itself, not on a column of its row.
fn is_on_own(condition: &Condition) -> bool {
    match &condition.subject {
        Subject::Parameters(names) => matches!(&*names.0, [name] if OWN.contains(&&**name)),
        Subject::Column { .. } => false,
    }
}

fn add_named<'t>(demand: &'t Demand, to: &mut Vec<(&'t Directory, usize)>) {
    match demand {
        Demand::AnyOf(demands) | Demand::AllOf(demands) => {
            demands.iter().for_each(|demand| add_named(demand, to));
        }
        Demand::Not(_) => {}
        Demand::Is(kind) => {
            if let Passing::KeyOf(directory) = kind.passing()
                && let Some(column) = directory.column(NAME)
                && !to
                    .iter()
                    .any(|(other, _)| ptr::eq(*other, &raw const **directory))
            {
                to.push((directory, column));
            }
        }
    }
}
