//! What a provider allows: one typed policy a service, deny by default. [`Policy::decide`] is a pure function of the
//! question, so that another policy language can take its place. It reads no file, no clock and no counter itself.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use iog_data::parse_prefix;
use iog_protocol::ids::{Asn, Digest, DomainId, EntryName, OrganisationId};
use iog_protocol::params::Params;
use serde::{Deserialize, Serialize};

/// Who may call: `members`, `domain:<id>` or `organisation:<id>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Principal {
    /// Every domain that is in force in the registry.
    Members,
    /// One domain.
    Domain(DomainId),
    /// Every domain of one organisation.
    Organisation(OrganisationId),
}

/// A text that names no principal; the operator has to mend it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` names no caller; write `members`, `domain:<id>` or `organisation:<id>`")]
pub struct NotAPrincipal {
    found: String,
}

impl FromStr for Principal {
    type Err = NotAPrincipal;

    fn from_str(text: &str) -> Result<Self, NotAPrincipal> {
        let wrong = || NotAPrincipal { found: text.chars().take(80).collect() };
        if text == "members" {
            return Ok(Self::Members);
        }
        match text.split_once(':') {
            Some(("domain", id)) => id.parse().map(Self::Domain).map_err(|_| wrong()),
            Some(("organisation", id)) => id.parse().map(Self::Organisation).map_err(|_| wrong()),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Members => f.write_str("members"),
            Self::Domain(id) => write!(f, "domain:{id}"),
            Self::Organisation(id) => write!(f, "organisation:{id}"),
        }
    }
}

impl TryFrom<String> for Principal {
    type Error = NotAPrincipal;

    fn try_from(text: String) -> Result<Self, NotAPrincipal> {
        text.parse()
    }
}

impl From<Principal> for String {
    fn from(principal: Principal) -> Self {
        principal.to_string()
    }
}

/// The caller as the registry (never the caller) states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The calling domain.
    pub domain: DomainId,
    /// The organisation it belongs to.
    pub organisation: OrganisationId,
    /// Its AS numbers.
    pub asns: Vec<Asn>,
}

/// How often a caller may ask. `None` means without limit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Quotas {
    /// Runs of one caller in any 3,600 seconds.
    pub runs_per_hour_max: Option<u64>,
    /// Runs of one caller in any 86,400 seconds.
    pub runs_per_day_max: Option<u64>,
    /// Distinct values of one parameter that one caller may ask about in any 86,400 seconds.
    pub targets: Option<TargetQuota>,
}

/// A cap on distinct values of one parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetQuota {
    /// The parameter's name, as the entry declares it.
    pub parameter: String,
    /// Distinct values in any 86,400 seconds.
    pub distinct_per_day_max: u64,
    /// Bits that an IPv4 prefix must have at least. A prefix counts as one value, so without this it can be all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_prefix_v4: Option<u8>,
    /// The same for IPv6.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_prefix_v6: Option<u8>,
}

/// What one service's provider allows. Nothing listed, nothing allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// Who may call; empty: nobody.
    pub callers: BTreeSet<Principal>,
    /// Entries that may be called; `None`: every entry of the manifest.
    pub entries: Option<BTreeSet<EntryName>>,
    /// Purposes that may be stated; `None`: any.
    pub purposes: Option<BTreeSet<String>>,
    /// How often.
    pub quotas: Quotas,
}

/// What a caller has used already, the request in question not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    /// Runs in the last 3,600 seconds.
    pub runs_last_hour: u64,
    /// Runs in the last 86,400 seconds.
    pub runs_last_day: u64,
    /// Distinct other targets in the last 86,400 seconds.
    pub other_targets_last_day: u64,
}

/// One question to a policy.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// The entry to call.
    pub entry: &'a EntryName,
    /// The stated purpose.
    pub purpose: &'a str,
    /// What the caller has used already.
    pub used: Used,
}

/// Why a policy says no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// The caller is not on the list.
    Caller,
    /// The entry is not on the list.
    Entry,
    /// The purpose is not on the list.
    Purpose,
    /// The hour's runs are used up.
    RunsPerHour {
        /// How many there may be.
        max: u64,
    },
    /// The day's runs are used up.
    RunsPerDay {
        /// How many there may be.
        max: u64,
    },
    /// The target is wider than the provider answers.
    TargetTooWide {
        /// Bits of its prefix at least.
        min: u8,
    },
    /// The target is neither an address nor a prefix, so its width cannot be told.
    TargetUnclear,
    /// The day's distinct targets are used up.
    TargetsPerDay {
        /// How many there may be.
        max: u64,
    },
}

impl Policy {
    /// Allows or denies, in this order: caller, entry, purpose, quotas.
    ///
    /// # Errors
    /// The first rule that says no.
    pub fn decide(&self, question: &Question<'_>) -> Result<(), Denied> {
        if !self.allows(question.caller) {
            return Err(Denied::Caller);
        }
        if self.entries.as_ref().is_some_and(|allowed| !allowed.contains(question.entry)) {
            return Err(Denied::Entry);
        }
        if self.purposes.as_ref().is_some_and(|allowed| !allowed.contains(question.purpose)) {
            return Err(Denied::Purpose);
        }
        self.quotas.decide(question.used)
    }

    /// Allows or denies the width of what is asked about, from the request's parameters.
    ///
    /// # Errors
    /// [`Denied::TargetTooWide`], [`Denied::TargetUnclear`].
    pub fn decide_target(&self, params: &Params) -> Result<(), Denied> {
        let Some(quota) = &self.quotas.targets else { return Ok(()) };
        if quota.min_prefix_v4.is_none() && quota.min_prefix_v6.is_none() {
            return Ok(());
        }
        let text = params.text_of(&quota.parameter);
        // The query's own parser, so that the quota judges the range that will be read.
        let asked = text.and_then(|text| parse_prefix(&text).ok()).ok_or(Denied::TargetUnclear)?.width();
        let families = [(asked.v4, quota.min_prefix_v4), (asked.v6, quota.min_prefix_v6)];
        let too_wide =
            families.into_iter().find_map(|(asked, min)| min.filter(|min| asked.is_some_and(|it| it < *min)));
        too_wide.map_or(Ok(()), |min| Err(Denied::TargetTooWide { min }))
    }

    /// Whether the caller is on the list at all.
    #[must_use]
    pub fn allows(&self, caller: &Caller) -> bool {
        self.callers.iter().any(|principal| principal.covers(caller))
    }

    /// Names the policy in receipts: SHA-256 over its JSON, whose sets are sorted.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&serde_json::to_vec(self).expect("a policy holds only strings and numbers"))
    }
}

impl Quotas {
    fn decide(&self, used: Used) -> Result<(), Denied> {
        if let Some(max) = self.runs_per_hour_max.filter(|max| used.runs_last_hour >= *max) {
            return Err(Denied::RunsPerHour { max });
        }
        if let Some(max) = self.runs_per_day_max.filter(|max| used.runs_last_day >= *max) {
            return Err(Denied::RunsPerDay { max });
        }
        match &self.targets {
            Some(quota) if used.other_targets_last_day >= quota.distinct_per_day_max => {
                Err(Denied::TargetsPerDay { max: quota.distinct_per_day_max })
            }
            _ => Ok(()),
        }
    }
}

impl Principal {
    fn covers(&self, caller: &Caller) -> bool {
        match self {
            Self::Members => true,
            Self::Domain(id) => *id == caller.domain,
            Self::Organisation(id) => *id == caller.organisation,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller() -> Caller {
        Caller { domain: "as64500".parse().unwrap(), organisation: "north".parse().unwrap(), asns: vec![Asn(64500)] }
    }

    fn ask(policy: &Policy, used: Used) -> Result<(), Denied> {
        let (caller, entry) = (caller(), "trace".parse().unwrap());
        policy.decide(&Question { caller: &caller, entry: &entry, purpose: "incident", used })
    }

    fn open_to(callers: &[&str]) -> Policy {
        Policy { callers: callers.iter().map(|p| p.parse().unwrap()).collect(), ..Policy::default() }
    }

    #[test]
    fn an_empty_policy_allows_nobody() {
        assert_eq!(ask(&Policy::default(), Used::default()), Err(Denied::Caller));
    }

    #[test]
    fn callers_are_named_by_domain_by_organisation_or_all_together() {
        for (list, allowed) in [
            (vec!["members"], true),
            (vec!["domain:as64500"], true),
            (vec!["organisation:north"], true),
            (vec!["domain:as64501"], false),
            (vec!["organisation:south", "domain:north"], false),
        ] {
            assert_eq!(ask(&open_to(&list), Used::default()).is_ok(), allowed, "{list:?}");
        }
    }

    #[test]
    fn entries_and_purposes_narrow_what_is_allowed() {
        let mut policy = open_to(&["members"]);
        policy.entries = Some(["other".parse().unwrap()].into());
        assert_eq!(ask(&policy, Used::default()), Err(Denied::Entry));
        policy.entries = Some(["trace".parse().unwrap()].into());
        policy.purposes = Some(["research".to_owned()].into());
        assert_eq!(ask(&policy, Used::default()), Err(Denied::Purpose));
        policy.purposes = Some(["incident".to_owned()].into());
        assert_eq!(ask(&policy, Used::default()), Ok(()));
    }

    #[test]
    fn quotas_end_at_exactly_the_number_stated() {
        let mut policy = open_to(&["members"]);
        policy.quotas = Quotas {
            runs_per_hour_max: Some(2),
            runs_per_day_max: Some(5),
            targets: Some(TargetQuota {
                parameter: "target".into(),
                distinct_per_day_max: 3,
                min_prefix_v4: None,
                min_prefix_v6: None,
            }),
        };
        let used =
            |hour, day, targets| Used { runs_last_hour: hour, runs_last_day: day, other_targets_last_day: targets };
        assert_eq!(ask(&policy, used(1, 4, 2)), Ok(()));
        assert_eq!(ask(&policy, used(2, 4, 2)), Err(Denied::RunsPerHour { max: 2 }));
        assert_eq!(ask(&policy, used(1, 5, 2)), Err(Denied::RunsPerDay { max: 5 }));
        assert_eq!(ask(&policy, used(1, 4, 3)), Err(Denied::TargetsPerDay { max: 3 }));
    }

    #[test]
    fn a_prefix_is_no_way_around_the_number_of_targets() {
        let mut policy = open_to(&["members"]);
        let target = |text: &str| Params::from(serde_json::json!({ "target": text }));
        let quota = TargetQuota {
            parameter: "target".into(),
            distinct_per_day_max: 3,
            min_prefix_v4: Some(24),
            min_prefix_v6: Some(48),
        };
        policy.quotas.targets = Some(quota);
        for good in
            ["192.0.2.1", "192.0.2.0/24", "2001:db8::/48", "2001:db8::1", "::ffff:192.0.2.1", "::ffff:192.0.2.0/120"]
        {
            assert_eq!(policy.decide_target(&target(good)), Ok(()), "{good}");
        }
        for (wide, min) in [
            ("192.0.2.0/23", 24),
            ("0.0.0.0/0", 24),
            ("2001:db8::/47", 48),
            ("::ffff:0:0/96", 24),
            ("::/48", 24),
            ("::/0", 24),
        ] {
            assert_eq!(policy.decide_target(&target(wide)), Err(Denied::TargetTooWide { min }), "{wide}");
        }
        for unclear in [
            "",
            "everything",
            "192.0.2.0/33",
            "::/129",
            "192.0.2.0/",
            "192.0.2.0/24/1",
            "192.0.2.1/24",
            "192.0.2.0/024",
        ] {
            assert_eq!(policy.decide_target(&target(unclear)), Err(Denied::TargetUnclear), "{unclear}");
        }
        assert_eq!(policy.decide_target(&serde_json::json!({}).into()), Err(Denied::TargetUnclear));
        // What holds both families has to pass for both.
        policy.quotas.targets.as_mut().unwrap().min_prefix_v4 = None;
        assert_eq!(policy.decide_target(&target("::/0")), Err(Denied::TargetTooWide { min: 48 }));
        assert_eq!(policy.decide_target(&target("0.0.0.0/0")), Ok(()));
        let quota = policy.quotas.targets.as_mut().unwrap();
        (quota.min_prefix_v4, quota.min_prefix_v6) = (Some(24), None);
        for wide in ["::/0", "::/1", "::fffe:0:0/95"] {
            assert_eq!(policy.decide_target(&target(wide)), Err(Denied::TargetTooWide { min: 24 }), "{wide}");
        }
        assert_eq!(policy.decide_target(&target("2000::/3")), Ok(()));
        policy.quotas.targets = None;
        assert_eq!(policy.decide_target(&target("0.0.0.0/0")), Ok(()));
    }

    #[test]
    fn the_digest_names_the_policy_and_nothing_else() {
        let (a, b) = (open_to(&["members", "domain:x"]), open_to(&["domain:x", "members"]));
        assert_eq!(a.digest(), b.digest());
        assert_ne!(a.digest(), open_to(&["members"]).digest());
    }

    #[test]
    fn a_principal_that_is_none_is_named_in_the_error() {
        let error = "everybody".parse::<Principal>().unwrap_err().to_string();
        assert_eq!(error, "`everybody` names no caller; write `members`, `domain:<id>` or `organisation:<id>`");
        assert_eq!("domain:as1".parse::<Principal>().unwrap().to_string(), "domain:as1");
    }
}
