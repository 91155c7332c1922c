//! A content model as an automaton: one state per place where an element is named in the model (Glushkov's
//! construction).
//!
//! **Invariant** Schemas are deterministic: from any state at most one place matches a given element, so a walk is a
//! single state and never goes back.

use std::collections::BTreeSet;

use super::notation::{Foreign, Model};

/// Where a walk over the children of an element stands: before the first child, or at the place of the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct State(usize);

impl State {
    /// Before the first child. Places count from 1.
    pub(crate) const START: State = State(0);
}

/// A place of the model: the element that may stand there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// An element of the table's own namespace.
    Element {
        /// Its local name.
        name: &'static str,
        /// The name of its type.
        of: &'static str,
    },
    /// An element of another namespace.
    Foreign(Foreign),
}

/// The content model of one type.
#[derive(Clone, Debug)]
pub(crate) struct Automaton {
    places: Vec<Place>,
    /// For each state, the states that may come next, in the order of the model.
    next: Vec<BTreeSet<State>>,
    /// The states after which nothing more is needed.
    accepting: BTreeSet<State>,
}

/// What Glushkov's construction knows of a part of a model.
struct Part {
    nullable: bool,
    first: BTreeSet<State>,
    last: BTreeSet<State>,
}

impl Automaton {
    pub(crate) fn of(model: &Model) -> Automaton {
        let mut automaton = Automaton {
            places: Vec::new(),
            next: vec![BTreeSet::new()],
            accepting: BTreeSet::new(),
        };
        let whole = automaton.add(model);
        automaton.next[0] = whole.first;
        automaton.accepting = whole.last;
        if whole.nullable {
            automaton.accepting.insert(State::START);
        }
        automaton
    }

    fn add(&mut self, model: &Model) -> Part {
        match model {
            Model::Element { name, of } => self.add_place(Place::Element { name, of }),
            Model::Foreign(foreign) => self.add_place(Place::Foreign(*foreign)),
            Model::AllOf(parts) => self.add_sequence(parts),
            Model::OneOf(parts) => self.add_choice(parts),
            Model::Optional(part) => Part { nullable: true, ..self.add(part) },
            Model::Many(part) => Part { nullable: true, ..self.add_loop(part) },
            Model::Some(part) => self.add_loop(part),
        }
    }

    fn add_place(&mut self, place: Place) -> Part {
        self.places.push(place);
        self.next.push(BTreeSet::new());
        let state = BTreeSet::from([State(self.places.len())]);
        Part { nullable: false, first: state.clone(), last: state }
    }

    fn add_sequence(&mut self, parts: &[Model]) -> Part {
        let mut whole = Part { nullable: true, first: BTreeSet::new(), last: BTreeSet::new() };
        for model in parts {
            let part = self.add(model);
            self.connect(&whole.last, &part.first);
            if whole.nullable {
                whole.first.extend(&part.first);
            }
            if !part.nullable {
                whole.last.clear();
            }
            whole.last.extend(part.last);
            whole.nullable &= part.nullable;
        }
        whole
    }

    fn add_choice(&mut self, parts: &[Model]) -> Part {
        let mut whole = Part { nullable: false, first: BTreeSet::new(), last: BTreeSet::new() };
        for model in parts {
            let part = self.add(model);
            whole.nullable |= part.nullable;
            whole.first.extend(part.first);
            whole.last.extend(part.last);
        }
        whole
    }

    fn add_loop(&mut self, model: &Model) -> Part {
        let part = self.add(model);
        self.connect(&part.last, &part.first);
        part
    }

    fn connect(&mut self, from: &BTreeSet<State>, to: &BTreeSet<State>) {
        for state in from {
            self.next[state.0].extend(to);
        }
    }

    /// The place a state stands for; none before the first child.
    pub(crate) fn place(&self, state: State) -> Option<Place> {
        state.0.checked_sub(1).map(|index| self.places[index])
    }

    /// All places of the model, in its order.
    pub(crate) fn places(&self) -> impl Iterator<Item = Place> {
        self.places.iter().copied()
    }

    /// The places that may come next.
    pub(crate) fn expected(&self, state: State) -> impl Iterator<Item = Place> {
        self.next[state.0].iter().filter_map(|next| self.place(*next))
    }

    /// Whether nothing more is needed.
    pub(crate) fn accepts(&self, state: State) -> bool {
        self.accepting.contains(&state)
    }

    /// The next state over an element that `matches` takes.
    pub(crate) fn step(&self, state: State, matches: impl Fn(Place) -> bool) -> Option<State> {
        self.next[state.0].iter().copied().find(|next| self.place(*next).is_some_and(&matches))
    }

    /// The nearest later state over an element that `matches` takes, and the places that were skipped to get there.
    pub(crate) fn leap(
        &self,
        state: State,
        matches: impl Fn(Place) -> bool,
    ) -> Option<(State, Vec<Place>)> {
        let reached = self.shortest(state, |next| self.place(next).is_some_and(&matches))?;
        let (target, skipped) = reached.split_last()?;
        Some((*target, skipped.iter().filter_map(|state| self.place(*state)).collect()))
    }

    /// What is still missing: the shortest way to an end.
    pub(crate) fn missing(&self, state: State) -> Vec<Place> {
        let way = self.shortest(state, |next| self.accepts(next)).unwrap_or_default();
        way.into_iter().filter_map(|state| self.place(state)).collect()
    }

    /// The shortest way from a state, itself excluded, to one that `found` takes; breadth first, in model order.
    fn shortest(&self, from: State, found: impl Fn(State) -> bool) -> Option<Vec<State>> {
        let mut seen = BTreeSet::new();
        let mut ways = std::collections::VecDeque::from([vec![from]]);
        while let Some(way) = ways.pop_front() {
            let here = *way.last()?;
            for next in self.next[here.0]
                .iter()
                .copied()
                .filter(|next| seen.insert(*next))
                .collect::<Vec<_>>()
            {
                let longer = [way.as_slice(), &[next]].concat();
                if found(next) {
                    return Some(longer[1..].to_vec());
                }
                ways.push_back(longer);
            }
        }
        None
    }

    /// Two places that one element could match from the same state, if the model is not deterministic.
    #[cfg(test)]
    fn ambiguity(&self) -> Option<(Place, Place)> {
        let names = |place: Place| match place {
            Place::Element { name, .. } => Some(name),
            Place::Foreign(_) => None,
        };
        self.next.iter().find_map(|states| {
            let places: Vec<Place> = states.iter().filter_map(|state| self.place(*state)).collect();
            places.iter().enumerate().find_map(|(index, left)| {
                let same = |right: &&Place| names(*left) == names(**right);
                places[index + 1..].iter().find(same).map(|right| (*left, *right))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::notation::{Namespace, all_of, one_of, text};
    use super::super::{notation, tables};
    use super::*;

    fn named(name: &str) -> impl Fn(Place) -> bool {
        move |place| matches!(place, Place::Element { name: known, .. } if known == name)
    }

    #[track_caller]
    fn check(model: &Model, word: &str, accepted: bool) {
        let automaton = Automaton::of(model);
        let end = word
            .split_terminator(' ')
            .try_fold(State::START, |state, name| automaton.step(state, named(name)));
        assert_eq!(
            end.is_some_and(|state| automaton.accepts(state)),
            accepted,
            "{word:?} in {model:?}"
        );
    }

    #[test]
    fn words_are_accepted_as_the_model_says() {
        let model =
            all_of([text("a").optional(), one_of([text("b"), text("c").some()]), text("d").many()]);
        for word in ["b", "a b", "c", "c c c d", "a b d d"] {
            check(&model, word, true);
        }
        for word in ["", "a", "b c", "a d", "b b", "d", "a a b"] {
            check(&model, word, false);
        }
        let pairs = all_of([text("a"), text("a").some()]).optional();
        for (word, accepted) in [("", true), ("a", false), ("a a", true), ("a a a", true)] {
            check(&pairs, word, accepted);
        }
        let loops = one_of([text("a"), text("b")]).many();
        for (word, accepted) in [("", true), ("b a b", true), ("c", false)] {
            check(&loops, word, accepted);
        }
    }

    #[test]
    fn leaps_and_ends_name_what_is_missing() {
        let model = all_of([text("a"), text("x").optional(), text("b"), text("c")]);
        let automaton = Automaton::of(&model);
        let names = |places: Vec<Place>| -> Vec<&str> {
            places
                .iter()
                .map(|place| if let Place::Element { name, .. } = place { name } else { "?" })
                .collect()
        };
        let (state, skipped) = automaton.leap(State::START, named("b")).expect("b comes later");
        assert_eq!(names(skipped), ["a"]);
        assert_eq!(names(automaton.missing(state)), ["c"]);
        assert!(automaton.leap(state, named("a")).is_none());
    }

    #[test]
    fn every_table_is_deterministic_and_complete() {
        for Namespace { uri, roots, types } in tables() {
            let defined: BTreeSet<&str> = types.iter().map(|one| one.name).collect();
            assert_eq!(defined.len(), types.len(), "{uri} defines a type twice");
            for one in &types {
                let notation::Content::Elements(model) = &one.content else { continue };
                let automaton = Automaton::of(model);
                assert_eq!(automaton.ambiguity(), None, "{uri} {}", one.name);
                for place in automaton.places() {
                    let Place::Element { name, of } = place else { continue };
                    assert!(defined.contains(of), "{uri}: <{name}> has the unknown type {of}");
                }
            }
            for (name, of) in roots {
                assert!(defined.contains(of), "{uri}: the root <{name}> has the unknown type {of}");
            }
        }
    }
}
