//! Decisions on the bytes of a request: of which is kept what the policy may read.

use std::sync::Arc;

use bumpalo::Bump;

use super::Engine;
use crate::decision::Decision;
use crate::request::{Checked, Portions, Request, RequestError, RequestView, Room, Spelling};
use crate::time::Now;

impl Engine {
    /// Decides on the bytes of an AuthZEN evaluation request.
    #[must_use]
    pub fn decide_json(&self, bytes: &[u8], now: Now) -> Decision {
        self.decide_bytes(bytes, now, |error, decision| self.refuse_as(&error, now, decision))
    }

    /// Likewise, where bytes that are no request are an error of who asks, and no decision.
    ///
    /// # Errors
    /// Those of [`Request::from_json`].
    pub(crate) fn decide_asked(&self, bytes: &[u8], now: Now) -> Result<Decision, RequestError> {
        let mut refused = None;
        let decision = self.decide_bytes(bytes, now, |error, _| refused = Some(error));
        refused.map_or(Ok(decision), Err)
    }

    #[inline]
    fn decide_bytes(&self, bytes: &[u8], now: Now, refuse: impl FnOnce(RequestError, &mut Decision)) -> Decision {
        if cfg!(feature = "slow-reader") {
            return self.contained(None, now, |decision| self.decide_owned(bytes, now, decision, refuse));
        }
        self.contained(None, now, |decision| {
            let limits = &self.config.limits;
            let snapshot = self.snapshot.load();
            // A journal of inputs has the whole request.
            let portions = if self.inputs.is_some() { None } else { snapshot.portions() };
            let arena = Bump::new();
            let mut room = Room::default();
            let whole = Portions::WHOLE;
            let kept = portions.map_or(&whole, |portions| &**portions);
            let request = match RequestView::portions_from_json(bytes, limits, kept, &arena, &mut room) {
                Ok(request) => request,
                Err(error) => return refuse(error, decision),
            };
            let spelling = Spelling::of(&request);
            if let Err(error) = spelling.check(&request, limits) {
                return refuse(error, decision);
            }
            let checked = Checked::before(&request, &spelling);
            self.contain(Some(&request), now, decision, |decision| match portions {
                None => self.answer(&checked, now, decision),
                Some(portions) => {
                    let again = Bump::new();
                    let whole = || RequestView::from_json(bytes, limits, &again);
                    self.answer_portions(&checked, portions, now, decision, whole);
                }
            });
        })
    }

    /// Likewise, by way of a request of its own.
    fn decide_owned(
        &self,
        bytes: &[u8],
        now: Now,
        decision: &mut Decision,
        refuse: impl FnOnce(RequestError, &mut Decision),
    ) {
        match Request::from_json(bytes, &self.config.limits) {
            Ok(request) => {
                let request = RequestView::from(&request);
                self.contain(Some(&request), now, decision, |decision| {
                    self.answer(&Checked::before(&request, &Spelling::of(&request)), now, decision);
                });
            }
            Err(error) => refuse(error, decision),
        }
    }

    /// What of a request is to be kept to decide it by now; nothing where that is all of it.
    pub(crate) fn portions(&self) -> Option<Arc<Portions>> {
        if self.inputs.is_some() { None } else { self.snapshot.load().portions().cloned() }
    }

    /// Decides on a request that was held to the limits when it was read, as far as `portions` have it kept; `whole` gives
    /// all of it, where that is wanted by now.
    pub(crate) fn decide_kept<'w>(
        &self,
        request: &Checked<'_>,
        portions: Option<&Arc<Portions>>,
        now: Now,
        whole: impl FnOnce() -> Result<RequestView<'w>, RequestError>,
    ) -> Decision {
        self.contained(Some(request), now, |decision| match portions {
            None => self.answer(request, now, decision),
            Some(portions) => self.answer_portions(request, portions, now, decision, whole),
        })
    }

    /// The answer to a request of which these portions are kept. Where another policy decides by now, or something else reads
    /// requests too, the bytes are read again.
    fn answer_portions<'w>(
        &self,
        request: &Checked<'_>,
        portions: &Arc<Portions>,
        now: Now,
        decision: &mut Decision,
        whole: impl FnOnce() -> Result<RequestView<'w>, RequestError>,
    ) {
        let (snapshot, held) = self.current(now);
        if snapshot.portions().is_some_and(|wanted| Arc::ptr_eq(wanted, portions)) {
            return self.reply_by(&snapshot, request, held, decision);
        }
        match whole() {
            Ok(request) => {
                self.reply_by(&snapshot, &Checked::before(&request, &Spelling::of(&request)), held, decision);
            }
            Err(error) => self.refuse_as(&error, now, decision),
        }
    }
}
