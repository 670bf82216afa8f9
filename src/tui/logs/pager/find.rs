//! Finding the next place in all of the store.

use crate::journal::Error;
use crate::journal::spool::{Find, Position, Progress, Sought};

use super::super::store::Store;
use super::{Hunt, Pager};

impl<S: Store> Pager<S> {
    pub(super) fn find(&mut self, word: Option<String>) -> Result<(), Error> {
        self.store.end_search();
        self.hunt = None;
        self.said = None;
        let Some(word) = word.filter(|word| !word.is_empty() && word != "~") else {
            self.find = None;
            self.begun = None;
            return Ok(());
        };
        match Find::typed(&word) {
            Ok(find) => self.find = Some((word, find)),
            Err(why) => {
                self.find = None;
                self.said = Some(why);
                return Ok(());
            }
        }
        // The newest place first: what is broken now is at the end.
        if self.begun.is_none() {
            // With the selected line itself.
            self.begun = self.place().map(|mut place| {
                place.pass();
                place
            });
        }
        let from = self.begun.get_or_insert_with(|| self.end.clone()).clone();
        self.hunt = Some(Hunt { from, backward: true, wrapped: false });
        self.hunt()?;
        Ok(())
    }

    pub(super) fn seek_from_here(&mut self, backward: bool) -> Result<(), Error> {
        if self.find.is_none() {
            return Ok(());
        }
        self.said = None;
        let mut from = self.place().unwrap_or_else(|| self.end.clone());
        if !backward {
            from.pass();
        }
        self.hunt = Some(Hunt { from, backward, wrapped: false });
        self.hunt()?;
        Ok(())
    }

    pub(super) fn hunt(&mut self) -> Result<bool, Error> {
        let Some(hunt) = &mut self.hunt else { return Ok(false) };
        let Some((word, find)) = &self.find else {
            self.hunt = None;
            return Ok(false);
        };
        match self.store.seek((find, word), &self.query, &hunt.from, hunt.backward)? {
            Sought::Found(place) => {
                if hunt.wrapped {
                    let end = if hunt.backward { "the end" } else { "the beginning" };
                    self.said = Some(format!("{word}: from {end} again"));
                }
                self.hunt = None;
                self.around(&place)?;
                self.loud = true;
                Ok(true)
            }
            Sought::GoOn(place) => {
                hunt.from = place;
                Ok(false)
            }
            Sought::Wait => Ok(false),
            Sought::Nowhere if hunt.wrapped => {
                self.said = Some(format!("no {word} anywhere"));
                self.hunt = None;
                self.loud = true;
                Ok(true)
            }
            Sought::Nowhere => {
                hunt.wrapped = true;
                hunt.from = if hunt.backward { self.end.clone() } else { Position::default() };
                Ok(false)
            }
        }
    }

    /// How far a search is that runs beside.
    pub fn progress(&self) -> Option<Progress> {
        self.store.progress(None)
    }

    /// Whether such a search is to say more, so that asking it again at once is of no use.
    pub fn waits(&self) -> bool {
        self.hunt.is_some() && self.progress().is_some()
    }
}
