//! Names of a condition: only those that a `for` has made.

use std::sync::Arc;

use super::super::problem::Mistake;
use super::super::syntax::{Function, Kind, Node};
use super::atom::unknown;

/// Refuses names that no `for` has made.
pub(super) fn names(node: &Node, known: &mut Vec<Arc<str>>) -> Result<(), Mistake> {
    match &node.kind {
        Kind::Name(name) => {
            if known.contains(name) {
                return Ok(());
            }
            let words = Function::ALL.iter().map(|one| one.word()).chain(["metrics", "True"]);
            let words = words.chain(["False", "None"]).chain(known.iter().map(|name| &**name));
            Err(unknown(name, "name", node.from, words))
        }
        Kind::None
        | Kind::Bool(_)
        | Kind::Int(_)
        | Kind::Float(_)
        | Kind::Text(_)
        | Kind::Metrics
        | Kind::Type(_) => Ok(()),
        Kind::Not(inside) | Kind::Minus(inside) | Kind::Attribute(inside, _) => {
            names(inside, known)
        }
        Kind::And(all)
        | Kind::Or(all)
        | Kind::List(all)
        | Kind::Tuple(all)
        | Kind::Call(_, all) => all.iter().try_for_each(|one| names(one, known)),
        Kind::Compare(first, rest) => {
            names(first, known)?;
            rest.iter().try_for_each(|(_, one)| names(one, known))
        }
        Kind::Count(_, left, right) | Kind::Index(left, right) => {
            names(left, known)?;
            names(right, known)
        }
        Kind::Method(on, _, arguments) => {
            names(on, known)?;
            arguments.iter().try_for_each(|one| names(one, known))
        }
        Kind::Slice(on, from, to) => {
            names(on, known)?;
            from.iter().chain(to).try_for_each(|one| names(one, known))
        }
        Kind::If(condition, yes, no) => {
            [condition, yes, no].into_iter().try_for_each(|one| names(one, known))
        }
        Kind::Each(element, clauses) => {
            let before = known.len();
            for clause in clauses {
                names(&clause.over, known)?;
                known.extend(clause.names.iter().cloned());
                clause.conditions.iter().try_for_each(|one| names(one, known))?;
            }
            names(element, known)?;
            known.truncate(before);
            Ok(())
        }
    }
}
