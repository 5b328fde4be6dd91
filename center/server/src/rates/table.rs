//! The table of rates: for every type of statement who pays for it, how much, and how near its time must be to the center's
//! clock. The match over the types leaves none out, so that a later family does not compile before it has its row. Pure.

use iog_protocol::{
    ids::{Digest, DomainId, KeyId},
    registry::{Registry, Said},
    statements::{Domain, Predicate, Revocation, Target},
    time::Timestamp,
};

use super::bucket::Rate;

/// Who shares what may be said in all. Nobody who fills one takes anything of another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Purse {
    /// Publishers, auditors and members in their daily work.
    Ordinary,
    /// Who stops a module or a domain.
    Halting,
    /// The root threshold.
    Governing,
}

impl Purse {
    pub(crate) const ALL: [Self; 3] = [Self::Ordinary, Self::Halting, Self::Governing];

    /// What all may say together. Ordinary: 64 signers at the start of their burst, then 10,800 a day. Halting: 32 signers,
    /// then 8,640 a day. Governing: 100,000 admissions in four days.
    pub(crate) const fn rate(self) -> Rate {
        match self {
            Self::Ordinary => Rate { burst: 4_096, every_s: 8 },
            Self::Halting => Rate { burst: 1_024, every_s: 10 },
            Self::Governing => Rate { burst: 20_000, every_s: 4 },
        }
    }

    /// The one that pays for a statement that the registry would take.
    pub(crate) fn of(registry: &Registry, said: &Said) -> Self {
        cost(registry, said).purse
    }

    /// What is counted in it, for people.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ordinary => "statements of members, auditors and publishers",
            Self::Halting => "suspensions and revocations",
            Self::Governing => "statements of the root",
        }
    }
}

/// What a statement is about, as far as it is counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum About {
    Module(Digest),
    Domain(DomainId),
    Namespace(String),
}

/// Whose bucket it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Account {
    All(Purse),
    Signer(Purse, KeyId),
    SignerAbout(Purse, KeyId, About),
    About(Purse, About),
}

/// How near a statement's time must be to the center's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dated {
    pub(crate) issued: Timestamp,
    pub(crate) behind_max_s: i64,
}

/// A signer's clock may be ahead by so much, in seconds: as much as a suspension may begin early.
pub(crate) const AHEAD_MAX_S: i64 = 600;
/// A review may be under way for so long, in seconds: a week from a desk without network to the center.
const REVIEW_BEHIND_MAX_S: i64 = 7 * 24 * 3_600;
/// A suspension or revocation may collect signatures for so long, in seconds: 30 days, the longest that a suspension lasts.
const REVOCATION_BEHIND_MAX_S: i64 = 30 * 24 * 3_600;

/// The row of a type of statement.
struct Row {
    /// For each key that signed.
    signer: Rate,
    /// For each key that signed, about the same.
    signer_about: Rate,
    /// For all about the same.
    about: Option<Rate>,
}

/// A review an auditor, module and hour, after eight at once; twelve an hour for an auditor in all.
const REVIEW: Row = Row {
    signer: Rate { burst: 64, every_s: 300 },
    signer_about: Rate { burst: 8, every_s: 3_600 },
    about: Some(Rate { burst: 512, every_s: 60 }),
};
/// Two submissions a publisher's key and hour, after 32 at once; the same for the namespace, however many keys it has.
const SUBMISSION: Row = Row {
    signer: Rate { burst: 32, every_s: 1_800 },
    signer_about: Rate { burst: 32, every_s: 1_800 },
    about: Some(Rate { burst: 32, every_s: 1_800 }),
};
/// A statement a domain and hour, after 16 at once; a member co-signs six an hour, after 64.
const DOMAIN: Row = Row {
    signer: Rate { burst: 64, every_s: 600 },
    signer_about: Rate { burst: 16, every_s: 3_600 },
    about: Some(Rate { burst: 16, every_s: 3_600 }),
};
/// Twelve suspensions or revocations a signer and hour, after 32; four about the same. What others say of the same target
/// takes nothing from anybody.
const REVOCATION: Row =
    Row { signer: Rate { burst: 32, every_s: 300 }, signer_about: Rate { burst: 4, every_s: 3_600 }, about: None };

/// What a statement costs.
pub(crate) struct Cost {
    pub(crate) purse: Purse,
    pub(crate) accounts: Vec<(Account, Rate)>,
    pub(crate) dated: Option<Dated>,
}

/// Seconds for which what was said before can still matter.
pub(crate) fn memory_s() -> i64 {
    let rows = [REVIEW, SUBMISSION, DOMAIN, REVOCATION];
    let of_row = |row: Row| [Some(row.signer), Some(row.signer_about), row.about];
    let rates = rows.into_iter().flat_map(of_row).flatten().chain(Purse::ALL.map(Purse::rate));
    rates.map(Rate::whole_s).max().unwrap_or_default()
}

/// What a statement costs that the registry would take.
pub(crate) fn cost(registry: &Registry, said: &Said) -> Cost {
    match &said.statement.predicate {
        // The root's only, and both bring their own order: a version each.
        Predicate::Genesis(_) | Predicate::Keyset(_) => governing(None),
        // Our own, one for each review that completes a module's.
        Predicate::Approval(_) => Cost { purse: Purse::Governing, accounts: Vec::new(), dated: None },
        Predicate::Review(review) => {
            let about = said.statement.module().map(|subject| About::Module(subject.digest()));
            ordinary(said, &REVIEW, about, Some(Dated { issued: review.issued, behind_max_s: REVIEW_BEHIND_MAX_S }))
        }
        Predicate::Submission(submission) => {
            let about = About::Namespace(submission.name.namespace().to_owned());
            ordinary(said, &SUBMISSION, Some(about), None)
        }
        Predicate::Domain(domain) => of_domain(registry, said, domain),
        Predicate::Revocation(revocation) => of_revocation(registry, said, revocation),
        // No route takes one. Should one come, it is as dear as the dearest.
        Predicate::Unknown(_) => ordinary(said, &SUBMISSION, None, None),
    }
}

fn of_domain(registry: &Registry, said: &Said, domain: &Domain) -> Cost {
    if root_signed(registry, said) {
        return governing(None);
    }
    ordinary(said, &DOMAIN, Some(About::Domain(domain.id.clone())), None)
}

fn of_revocation(registry: &Registry, said: &Said, revocation: &Revocation) -> Cost {
    let dated = Some(Dated { issued: revocation.issued, behind_max_s: REVOCATION_BEHIND_MAX_S });
    if root_signed(registry, said) {
        return governing(dated);
    }
    let about = match &revocation.target {
        Target::Module(digest) => About::Module(*digest),
        Target::Domain(id) => About::Domain(id.clone()),
    };
    paid(Purse::Halting, said, &REVOCATION, Some(about), dated)
}

fn governing(dated: Option<Dated>) -> Cost {
    let purse = Purse::Governing;
    Cost { purse, accounts: vec![(Account::All(purse), purse.rate())], dated }
}

fn ordinary(said: &Said, row: &Row, about: Option<About>, dated: Option<Dated>) -> Cost {
    paid(Purse::Ordinary, said, row, about, dated)
}

fn paid(purse: Purse, said: &Said, row: &Row, about: Option<About>, dated: Option<Dated>) -> Cost {
    let mut accounts = Vec::new();
    for signer in &said.signers {
        if let Some(about) = &about {
            accounts.push((Account::SignerAbout(purse, *signer, about.clone()), row.signer_about));
        }
        accounts.push((Account::Signer(purse, *signer), row.signer));
    }
    if let Some((about, rate)) = about.zip(row.about) {
        accounts.push((Account::About(purse, about), rate));
    }
    accounts.push((Account::All(purse), purse.rate()));
    Cost { purse, accounts, dated }
}

fn root_signed(registry: &Registry, said: &Said) -> bool {
    let root = registry.root();
    let signed = root.keys.iter().filter(|key| said.signers.contains(&key.id())).count();
    signed >= root.threshold.max(1) as usize
}
