//! Trust at the engine: whose bundles it takes, and how that changes (spec 2.2).

use super::Engine;
use crate::error::{BundleError, Code, Diagnostic};
use crate::name;
use crate::policy::bundle::{Bundle, Trust};
use crate::state::admission::LoadError;
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
        let root = match rotated {
            Ok(root) => root,
            Err(error) => {
                self.events().push(now, EventKind::TrustRefused { code: error.code.as_str() });
                return Err(error.into());
            }
        };
        let version = root.version();
        self.events().push(now, EventKind::TrustRotated { version });
        if let Some(active) = &mut told.active
            && !active.revoked
            && root.revokes(&active.bundle)
        {
            active.revoked = true;
            let bundle = name::name(active.bundle.name()).unwrap_or_default();
            let revision = active.bundle.revision();
            self.events().push(now, EventKind::BundleRevoked { bundle, revision });
        }
        told.unhear(&root);
        told.trust = Trust::keys(root);
        self.publish(&mut told, now);
        Ok(version)
    }

    /// Loads a bundle by the engine's own trust, and makes it the active one: both or neither.
    ///
    /// # Errors
    /// [`LoadError`], with everything as it was.
    pub fn activate_signed(&self, bytes: &[u8], now: Now) -> Result<(), LoadError> {
        let bundle = self.load(bytes, now)?;
        Ok(self.activate(bundle, now)?)
    }

    /// Loads a bundle by the engine's own trust.
    pub(super) fn load(&self, bytes: &[u8], now: Now) -> Result<Bundle, LoadError> {
        Bundle::from_signed(bytes, &self.trust(), &self.config.limits, now.wall).map_err(|error| {
            let error = LoadError::Refused(error);
            // Whatever it says of its name and revision, nobody vouches for it.
            let kind = EventKind::BundleRefused { bundle: name::Name::new(), revision: 0, code: error.code() };
            self.events().push(self.held(now), kind);
            error
        })
    }
}
