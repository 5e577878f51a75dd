//! One table of a route's `when`, as the proof reads it: what it asks, and whether it answers in a case.

use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;

use super::case::{Case, Fork};
use super::formula::{Formula, Formulas};
use super::proof::{Effort, Reason};
use crate::table::reply::Reply;
use crate::table::schedule::Schedule;
use crate::table::{Alternative, Route};
use crate::twilio::channel::Channel;

/// One table of a route's `when`, as the proof reads it.
pub(super) struct Answer<'t> {
    /// The position of its route.
    pub route: usize,
    /// `None` for a route without a `when`.
    alternative: Option<&'t Alternative>,
    /// What it asks, made when it is first needed: most routes are never compared with another.
    asks: OnceCell<Rc<[Ask<'t>]>>,
    pub during: &'t [Arc<Schedule>],
    outside: &'t [Arc<Schedule>],
    /// Whether it says something on a channel, calls first, and whether it does on every webhook.
    pub says: [Option<Reach>; 2],
}

/// What is asked of a parameter.
pub(super) type Ask<'t> = (&'t str, Formula<'t>);

/// On which webhooks a reply is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// On Proxy's own alone: it opens a session.
    Proxy,
    /// On all.
    All,
}

/// Whether an earlier route answers in a case.
pub(super) enum Verdict<'t> {
    Answers,
    Passes,
    /// That depends; the cases to tell apart.
    Depends(Option<Fork<'t>>),
}

/// All that a table of a route's `when` answers on a channel while a schedule is open, or why that is nothing.
pub(super) fn first_case<'t>(
    answer: &Answer<'t>,
    formulas: &Formulas<'t>,
    channel: Channel,
    open: Option<&'t Schedule>,
    effort: &Effort,
) -> Result<Case<'t>, Reason> {
    let mut case = Case::new(channel);
    for (parameter, formula) in answer.asks(formulas).iter() {
        if !case.assume(parameter, formula, effort) {
            let mut any = Case::new(channel);
            let parameter = *parameter;
            return Err(if any.assume(parameter, formula, effort) {
                Reason::Conditions(parameter.to_owned())
            } else {
                Reason::Condition(parameter.to_owned())
            });
        }
    }
    let closed = answer.outside.iter().map(|schedule| (&**schedule, false));
    for (schedule, is_open) in closed.chain(open.map(|schedule| (schedule, true))) {
        if !case.assume_hours(&schedule.name, is_open) {
            return Err(Reason::Hours(schedule.name.clone()));
        }
    }
    Ok(case)
}

/// On which webhooks a route says something on a channel.
fn reach(route: &Route, channel: Channel) -> Option<Reach> {
    route.reply(channel).map(|reply| match reply {
        Reply::Session(_) => Reach::Proxy,
        Reply::Ready { .. } | Reply::Template(_) => Reach::All,
    })
}

impl<'t> Answer<'t> {
    /// The tables of a route: one that asks nothing for a route without a `when`.
    pub(super) fn all_of(position: usize, route: &'t Route) -> Vec<Self> {
        let says = Channel::ALL.map(|channel| reach(route, channel));
        let alternatives: Vec<Option<&Alternative>> = match &route.alternatives[..] {
            [] => vec![None],
            alternatives => alternatives.iter().map(Some).collect(),
        };
        let answers = alternatives.into_iter().map(|alternative| Self {
            route: position,
            alternative,
            asks: OnceCell::new(),
            during: &route.during,
            outside: &route.outside,
            says,
        });
        answers.collect()
    }

    /// Gives back the memory of what it asks; that is made again when it is needed.
    pub(super) fn forget_asks(&mut self) {
        self.asks = OnceCell::new();
    }

    /// Whether it says something on a channel wherever another reply is given. What holds on a plain webhook holds on
    /// Proxy's too, where there are only more routes that answer.
    pub(super) fn speaks(&self, (channel, reach): (Channel, Reach)) -> bool {
        let mut says = Channel::ALL.into_iter().zip(self.says);
        says.any(|(own, says)| own == channel && says.is_some_and(|says| says >= reach))
    }

    /// What it asks.
    pub(super) fn asks(&self, formulas: &Formulas<'t>) -> Rc<[Ask<'t>]> {
        let conditions = || self.alternative.map_or(&[][..], |of| &of.conditions);
        let make = || {
            conditions()
                .iter()
                .map(|condition| formulas.condition(condition))
                .collect()
        };
        Rc::clone(self.asks.get_or_init(make))
    }

    /// Whether it answers in a case.
    pub(super) fn verdict(
        &self,
        case: &Case<'t>,
        formulas: &Formulas<'t>,
        effort: &Effort,
    ) -> Verdict<'t> {
        let asks = self.asks(formulas);
        let mut open_ask = None;
        for ask in asks.iter() {
            match case.decide(ask.0, &ask.1, effort) {
                Some(true) => {}
                Some(false) => return Verdict::Passes,
                None => open_ask = open_ask.or(Some(ask)),
            }
        }
        let mut open_hours = None;
        for schedule in self.outside {
            match case.is_open(&schedule.name) {
                Some(true) => return Verdict::Passes,
                Some(false) => {}
                None => open_hours = Some(Fork::Hours(&schedule.name)),
            }
        }
        let during = || self.during.iter().map(|schedule| &*schedule.name);
        if !during().any(|name| case.is_open(name) == Some(true)) && !self.during.is_empty() {
            match during().find(|name| case.is_open(name).is_none()) {
                Some(name) => open_hours = Some(Fork::Hours(name)),
                None => return Verdict::Passes,
            }
        }
        match (open_ask, open_hours) {
            (None, None) => Verdict::Answers,
            (Some((parameter, formula)), _) => {
                Verdict::Depends(case.fork(parameter, formula, effort))
            }
            (None, hours) => Verdict::Depends(hours),
        }
    }
}
