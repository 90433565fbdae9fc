//! Trust at the engine: whose bundles it takes, and how that changes (spec 2.2).

use std::borrow::Cow;

use super::Engine;
use super::told::Told;
use crate::error::{BundleError, Code, Diagnostic};
use crate::faults::point;
use crate::journal::input::Input;
use crate::name;
use crate::policy::bundle::{Bundle, Trust};
use crate::policy::trust::root::TrustRoot;
use crate::state::admission::LoadError;
use crate::state::document::HeldRoot;
use crate::state::events::EventKind;
use crate::time::Now;

impl Engine {
    /// Whose bundles the engine takes now: what [`Bundle::from_signed`] needs.
    #[must_use]
    pub fn trust(&self) -> Trust {
        self.told().trust.clone()
    }

    /// Takes a new trust root, which a threshold of the held one has signed; gives its version.
    ///
    /// Where it revokes the active bundle, or so many of that bundle's signers that too few are left, everything is denied
    /// from now on with `no_policy`, until another bundle is activated. A key that the new root merely no longer names takes
    /// nothing back.
    ///
    /// # Errors
    /// What [`TrustRoot::rotate`](crate::policy::trust::root::TrustRoot::rotate) refuses, with everything as it was;
    /// `untrusted` where the engine takes anybody's bundles, and so holds no root that could vouch for a new one, or where its
    /// clock is not to be trusted.
    pub fn rotate_trust(&self, bytes: &[u8], now: Now) -> Result<u64, BundleError> {
        let input = self.input(now, || Input::RotateTrust(Cow::Borrowed(bytes)));
        let done = self.rotate_in_order(bytes, now);
        input.done(done.as_ref().map_err(BundleError::code), |version| serde_json::json!({ "version": version }));
        done
    }

    fn rotate_in_order(&self, bytes: &[u8], now: Now) -> Result<u64, BundleError> {
        // What is due comes first: clocks that have parted are found.
        self.advance(now);
        let now = self.held(now);
        let mut told = self.told();
        let rotated = match &told.trust {
            Trust::UnsignedForDevelopment => {
                Err(Diagnostic::new(Code::Untrusted, "", "the engine holds no trust root")
                    .with_help("make the engine with the first root"))
            }
            Trust::Keys(_) if !told.clock_ok => {
                let message = "the clock is not to be trusted: no key can be known to be valid";
                Err(Diagnostic::new(Code::Untrusted, "", message).with_help("anchor the clocks"))
            }
            Trust::Keys(root) => root.rotate(bytes, &self.config.limits, now.wall),
        };
        let rotated = rotated.and_then(|root| told.follows(&root).map(|()| root));
        let root = match rotated {
            Ok(root) => root,
            Err(error) => {
                self.events().push(now, EventKind::TrustRefused { code: error.code.as_str() });
                return Err(error.into());
            }
        };
        let version = root.version();
        self.events().push(now, EventKind::TrustRotated { version });
        let was_behind = told.root_behind().is_some();
        // An engine that was behind has activated its bundle by a root that was superseded: the bundle is asked anew.
        let refuses = |bundle: &Bundle| was_behind && root.admit(bundle, Some(now.wall)).is_err();
        if let Some(active) = &mut told.active
            && !active.revoked
            && (root.revokes(&active.bundle) || refuses(&active.bundle))
        {
            active.revoked = true;
            point("trust: revoked");
            let bundle = name::name(active.bundle.name()).unwrap_or_default();
            let revision = active.bundle.revision();
            self.events().push(now, EventKind::BundleRevoked { bundle, revision });
        }
        point("trust: followed");
        told.unhear(&root);
        point("trust: unheard");
        told.trust = Trust::keys(root);
        told.other_changes = told.other_changes.saturating_add(1);
        self.publish(&mut told, now);
        Ok(version)
    }

    /// Loads a bundle by the engine's own trust, and makes it the active one: both or neither.
    ///
    /// # Errors
    /// [`LoadError`], with everything as it was.
    pub fn activate_signed(&self, bytes: &[u8], now: Now) -> Result<(), LoadError> {
        let input = self.input(now, || Input::ActivateSigned(Cow::Borrowed(bytes)));
        let done = self.load(bytes, now).and_then(|bundle| Ok(self.activate(bundle, now)?));
        input.done(done.as_ref().map_err(LoadError::code), |()| serde_json::json!({}));
        done
    }

    /// Loads a bundle by the engine's own trust.
    pub(super) fn load(&self, bytes: &[u8], now: Now) -> Result<Bundle, LoadError> {
        Bundle::from_signed(bytes, &self.trust(), &self.config.limits, now.wall).map_err(|error| {
            // Whatever it says of its name and revision, nobody vouches for it.
            let kind = EventKind::BundleRefused { bundle: name::Name::new(), revision: 0, code: error.code() };
            self.events().push(self.held(now), kind);
            LoadError::Refused(error)
        })
    }
}

impl Told {
    /// The newest trust root that is known: the one that is held, or one that was held before a restart.
    pub(super) fn newest_root(&self) -> Option<HeldRoot> {
        self.root_behind().cloned().or_else(|| self.trust.root().map(HeldRoot::of))
    }

    /// The trust root that was held before a restart, where the engine now holds an older one, another of that version, or
    /// none at all: what it revoked is not known here, so nothing may be allowed.
    pub(super) fn root_behind(&self) -> Option<&HeldRoot> {
        self.known_root.as_ref().filter(|known| !known.is_held(self.trust.root()))
    }

    /// Takes in that this trust root was held before.
    pub(super) fn join_root(&mut self, root: &HeldRoot) {
        if self.newest_root().is_none_or(|newest| newest.version <= root.version) {
            self.known_root = Some(root.clone());
        }
        self.other_changes = self.other_changes.saturating_add(1);
    }

    /// Whether the engine may follow to this root: of two that have one version, only to the one that was held before.
    fn follows(&self, root: &TrustRoot) -> Result<(), Diagnostic> {
        let Some(known) = self.root_behind() else { return Ok(()) };
        let held = self.trust.root().map_or(0, TrustRoot::version);
        let other = held == known.version || root.version() == known.version && root.digest() != known.root;
        if !other {
            return Ok(());
        }
        let message = format!("another trust root of version {} was held before", known.version);
        Err(Diagnostic::new(Code::OlderTrust, "/version", message)
            .with_help("find the one that was held, and follow that"))
    }
}
