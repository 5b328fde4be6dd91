//! When the center approves, and what it then signs. It never judges a module itself: it counts reviews by the registry's own rule, and
//! everybody counts them again.

use std::collections::BTreeSet;

use iog_protocol::{
    ids::Digest,
    keys::SecretKey,
    registry::{ApprovalDraft, NotEffective, Registry},
    time::Timestamp,
};

/// How long an approval lasts before the module must be reviewed again, days.
const APPROVAL_DAYS: i64 = 365;

/// The modules of `among` (all, if `None`) that may not run yet though their reviews suffice.
pub(crate) fn due(registry: &Registry, among: Option<&BTreeSet<Digest>>, now: Timestamp) -> Vec<Digest> {
    let all = || registry.modules().map(|record| record.submission.module).collect();
    let candidates: Vec<Digest> = among.map_or_else(all, |some| some.iter().copied().collect());
    let lacks_only_us = |module: &Digest| {
        let lacking = registry.effective(module, now).err();
        let curable = matches!(
            lacking,
            Some(NotEffective::NotApproved(_) | NotEffective::Expired(_) | NotEffective::Suspended { .. })
        );
        curable && registry.ready_for_approval(module, now).is_ok()
    };
    candidates.into_iter().filter(lacks_only_us).collect()
}

/// The signed approval of a module, as an entry of the log; `None` if its reviews do not suffice.
pub(crate) fn approval(registry: &Registry, module: &Digest, now: Timestamp, key: &SecretKey) -> Option<String> {
    let verifier = registry.founding().trust_domain.center_spiffe();
    let draft = ApprovalDraft { verifier, now, expires: Some(now.plus_days(APPROVAL_DAYS)) };
    let statement = registry.draft_approval(module, &draft).ok()?;
    let envelope = statement.sign(&[key]).ok()?;
    String::from_utf8(envelope.to_json()).ok()
}
