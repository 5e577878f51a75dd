//! The proof that a route can never answer: every case in which it could is one in which an earlier route does.
//!
//! A case is closed when it cannot be, or when an earlier route surely answers in it. Else it is forked into cases
//! that are told apart by what the earlier routes ask, and each of those must be closed. A case that no earlier
//! route has anything to do with stays open, and then nothing is proved.

use std::cell::Cell;
use std::collections::BTreeSet;

use hashbrown::HashMap;

use super::answer::{Answer, Reach, Verdict, first_case};
use super::case::{Case, Fork};
use super::formula::Formulas;
use crate::table::Route;
use crate::table::schedule::Schedule;
use crate::twilio::channel::Channel;

/// How many comparisons of a value, a fact or a route the proof for one route may take.
const EFFORT_PER_ROUTE: u64 = 200_000;

/// How many all proofs of a table may take: about a second. What is left of a table after that is not looked at.
const EFFORT_PER_TABLE: u64 = 20_000_000;

/// What a proof may still cost.
#[derive(Debug)]
pub(super) struct Effort {
    left: Cell<u64>,
    /// Whether rows may be read that may change while the table does not: those of directory files.
    reads_all_rows: bool,
    has_asked: Cell<bool>,
}

impl Effort {
    pub(super) fn new(left: u64) -> Self {
        Self {
            left: Cell::new(left),
            reads_all_rows: true,
            has_asked: Cell::new(false),
        }
    }

    /// The same for a proof that holds whatever the rows of directory files are.
    fn for_any_rows(left: u64) -> Self {
        Self {
            reads_all_rows: false,
            ..Self::new(left)
        }
    }

    /// Whether rows that may change can be read; notes that somebody has asked.
    pub(super) fn reads_all_rows(&self) -> bool {
        self.has_asked.set(true);
        self.reads_all_rows
    }

    /// Takes so many comparisons off; `false` when there are not as many left, and nothing can be proved any more.
    pub(super) fn spend(&self, comparisons: usize) -> bool {
        let left = self.left.get().checked_sub(comparisons as u64);
        self.left.set(left.unwrap_or(0));
        left.is_some()
    }
}

/// That a route can never answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proof {
    pub reason: Reason,
    /// Whether it is so whatever the rows of directory files are.
    pub is_lasting: bool,
}

/// Why a route can never answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reason {
    /// These earlier routes answer all that it could, by position.
    Covered(BTreeSet<usize>),
    /// No request passes what it asks of this parameter.
    Condition(String),
    /// What it asks of this parameter excludes what it asks before.
    Conditions(String),
    /// This schedule would have to be both open and closed.
    Hours(String),
    /// No request passes all of its conditions.
    Contradiction,
}

/// The routes read so far, found by what they ask.
pub(super) struct Proofs<'t> {
    formulas: Formulas<'t>,
    answers: Vec<Answer<'t>>,
    by_step: HashMap<Option<&'t str>, Step<'t>>,
    spent: u64,
}

/// The earlier routes of one step, by their place in [`Proofs::answers`].
#[derive(Default)]
struct Step<'t> {
    /// Those that answer only when some parameter is one of a few texts, by one such parameter and each of its texts.
    pinned: HashMap<(&'t str, &'t str), Vec<usize>>,
    /// All others.
    others: Vec<usize>,
}

impl<'t> Proofs<'t> {
    /// No routes yet; these directories stand in files of their own.
    pub(super) fn new(files: BTreeSet<&'t str>) -> Self {
        Self {
            formulas: Formulas::new(files),
            answers: Vec::new(),
            by_step: HashMap::new(),
            spent: 0,
        }
    }

    /// That the next route of the table can never answer, and why; `None` when that cannot be proved.
    pub(super) fn next(&mut self, position: usize, route: &'t Route) -> Option<Proof> {
        let answers = Answer::all_of(position, route);
        let proof = self.prove(&answers, route.step.as_deref());
        if !proof.as_ref().is_some_and(|proof| proof.is_lasting) {
            // A route that never answers covers nothing that the routes before it do not.
            for answer in answers {
                self.add(answer, route.step.as_deref());
            }
        }
        proof
    }

    fn prove(&mut self, answers: &[Answer<'t>], step: Option<&'t str>) -> Option<Proof> {
        let now = Effort::new(self.allowed());
        let reason = self.reason(answers, step, &now);
        self.spent += self.allowed() - now.left.get();
        let reason = reason?;
        if !now.has_asked.get() {
            return Some(Proof {
                reason,
                is_lasting: true,
            });
        }
        let ever = Effort::for_any_rows(self.allowed());
        let lasting = self.reason(answers, step, &ever);
        self.spent += self.allowed() - ever.left.get();
        Some(Proof {
            is_lasting: lasting.is_some(),
            reason: lasting.unwrap_or(reason),
        })
    }

    /// What one proof may cost now.
    fn allowed(&self) -> u64 {
        EFFORT_PER_ROUTE.min(EFFORT_PER_TABLE.saturating_sub(self.spent))
    }

    fn add(&mut self, mut answer: Answer<'t>, step: Option<&'t str>) {
        let place = self.answers.len();
        let step = self.by_step.entry(step).or_default();
        // Where most routes ask for one and the same number, they are told apart by something else.
        let crowd = |(parameter, texts): &(&'t str, &[&'t str])| {
            let alike = texts
                .iter()
                .map(|text| step.pinned.get(&(*parameter, *text)).map_or(0, Vec::len));
            alike.max().unwrap_or(0)
        };
        let asks = answer.asks(&self.formulas);
        let pin = asks
            .iter()
            .filter_map(|(parameter, formula)| Some((*parameter, formula.texts()?)))
            .min_by_key(crowd);
        match pin {
            Some((parameter, texts)) => {
                for text in texts {
                    step.pinned
                        .entry((parameter, *text))
                        .or_default()
                        .push(place);
                }
            }
            None => step.others.push(place),
        }
        answer.forget_asks();
        self.answers.push(answer);
    }

    /// Why none of a route's tables can answer, on any channel and at any hour.
    fn reason(
        &self,
        answers: &[Answer<'t>],
        step: Option<&'t str>,
        effort: &Effort,
    ) -> Option<Reason> {
        if effort.left.get() == 0 {
            return None;
        }
        let step = self.by_step.get(&step);
        let mut covering = BTreeSet::new();
        let mut contradictions = Vec::new();
        for answer in answers {
            for (channel, reach) in Channel::ALL.into_iter().zip(answer.says) {
                let Some(reach) = reach else {
                    continue;
                };
                let hours: Vec<Option<&Schedule>> = match answer.during {
                    [] => vec![None],
                    during => during.iter().map(|schedule| Some(&**schedule)).collect(),
                };
                for open in hours {
                    match first_case(answer, &self.formulas, channel, open, effort) {
                        Err(reason) => contradictions.push(reason),
                        Ok(case) => {
                            let before = covering.len();
                            self.close(case, step, (channel, reach), &mut covering, effort)?;
                            if covering.len() == before {
                                contradictions.push(Reason::Contradiction);
                            }
                        }
                    }
                }
            }
        }
        if effort.left.get() == 0 {
            return None;
        }
        if !covering.is_empty() {
            return Some(Reason::Covered(covering));
        }
        // There is none of a route that says nothing anywhere, which has been reported as such.
        let first = contradictions.first()?;
        let is_one = contradictions.iter().all(|reason| reason == first);
        Some(if is_one {
            first.clone()
        } else {
            Reason::Contradiction
        })
    }

    /// Closes a case and all that it is forked into; `None` when one stays open. Adds the routes that answer in it.
    fn close(
        &self,
        case: Case<'t>,
        step: Option<&Step<'t>>,
        on: (Channel, Reach),
        covering: &mut BTreeSet<usize>,
        effort: &Effort,
    ) -> Option<()> {
        let others = step.map_or(&[][..], |step| &step.others);
        let others = self.speaking(others, on, effort);
        let mut open = vec![(case, others)];
        let mut forks: Vec<(Case<'t>, Vec<usize>, Fork<'t>, usize)> = Vec::new();
        loop {
            while let Some((mut case, others)) = open.pop() {
                if !effort.spend(1) {
                    return None;
                }
                let (rivals, others) = self.rivals(&case, step, on, others, effort);
                match rivals {
                    Rivals::Answers(route) => {
                        covering.insert(route);
                    }
                    Rivals::Fork(fork) => {
                        let fork = case.pending().or(fork)?;
                        forks.push((case, others, fork, 0));
                    }
                }
            }
            let Some((case, others, fork, next)) = forks.last_mut() else {
                return Some(());
            };
            if *next == fork.len() {
                forks.pop();
                continue;
            }
            let mut one = case.clone();
            let can_be = one.take(fork, *next, effort);
            *next += 1;
            if !effort.spend(1) {
                return None;
            }
            if can_be {
                open.push((one, others.clone()));
            }
        }
    }

    /// Those of some earlier routes that say something where it is asked.
    fn speaking(&self, answers: &[usize], on: (Channel, Reach), effort: &Effort) -> Vec<usize> {
        if !effort.spend(answers.len()) {
            return Vec::new();
        }
        answers
            .iter()
            .copied()
            .filter(|place| self.answers[*place].speaks(on))
            .collect()
    }

    /// The earlier route that answers in a case, or a fork to tell which does; with those of the others that may.
    fn rivals(
        &self,
        case: &Case<'t>,
        step: Option<&Step<'t>>,
        on: (Channel, Reach),
        others: Vec<usize>,
        effort: &Effort,
    ) -> (Rivals<'t>, Vec<usize>) {
        let mut fork = None;
        // Where a parameter may be several texts, the case of the first must be closed like any other: a route that
        // is pinned to other texts does not help in it.
        if let Some(step) = step {
            for pin in case.first_texts() {
                for place in step.pinned.get(&pin).into_iter().flatten() {
                    effort.spend(1);
                    let answer = &self.answers[*place];
                    if !answer.speaks(on) {
                        continue;
                    }
                    match answer.verdict(case, &self.formulas, effort) {
                        Verdict::Answers => return (Rivals::Answers(answer.route), others),
                        Verdict::Passes => {}
                        Verdict::Depends(on) => fork = fork.or(on),
                    }
                }
            }
        }
        let mut remaining = Vec::with_capacity(others.len());
        for place in others {
            effort.spend(1);
            let answer = &self.answers[place];
            match answer.verdict(case, &self.formulas, effort) {
                Verdict::Answers => return (Rivals::Answers(answer.route), remaining),
                Verdict::Passes => {}
                Verdict::Depends(on) => {
                    fork = fork.or(on);
                    remaining.push(place);
                }
            }
        }
        (Rivals::Fork(fork), remaining)
    }
}

/// What the earlier routes do in a case.
enum Rivals<'t> {
    /// This route answers.
    Answers(usize),
    /// Some may answer: the cases to tell apart. `None` when none may.
    Fork(Option<Fork<'t>>),
}
