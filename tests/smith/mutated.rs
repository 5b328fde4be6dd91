//! Components of ours, changed: bytes, ranges, sections of the component and of the core modules in it.

use crate::case::Case;
use crate::random::Random;

/// Largest component that comes of it, in bytes: what is duplicated again and again stays small enough to be read.
const BYTES_MAX: usize = 1 << 20;
/// Id of a custom section.
const CUSTOM: u8 = 0;
/// Id of a core module among the sections of a component, and of the code among those of a core module.
const CORE_MODULE: u8 = 1;
const CODE: u8 = 10;

const OURS: [(&[u8], &str); 6] = [
    (include_bytes!("../../modules/prebuilt/hello.wasm"), include_str!("../../modules/hello/iog.toml")),
    (include_bytes!("../../modules/prebuilt/ip-traceback.wasm"), include_str!("../../modules/ip-traceback/iog.toml")),
    (include_bytes!("../../modules/prebuilt/top-talkers.wasm"), include_str!("../../modules/top-talkers/iog.toml")),
    (include_bytes!("../../modules/prebuilt/origin-check.wasm"), include_str!("../../modules/origin-check/iog.toml")),
    (include_bytes!("../../modules/prebuilt/dns-watch.wasm"), include_str!("../../modules/dns-watch/iog.toml")),
    (include_bytes!("../guests/prebuilt/hostile.wasm"), include_str!("../guests/hostile/iog.toml")),
];

/// One of ours with a few changes, and its own manifest.
pub(crate) fn make(random: &mut Random) -> Case {
    let (wasm, manifest) = random.one(&OURS);
    let mut wasm = wasm.to_vec();
    for _ in 0..random.one(&[1, 1, 1, 2, 3]) {
        wasm = change(random, wasm);
        wasm.truncate(BYTES_MAX);
    }
    Case { wasm, manifest: Some(manifest.to_owned()) }
}

fn change(random: &mut Random, wasm: Vec<u8>) -> Vec<u8> {
    match random.below(12) {
        0 => changed_bytes(random, wasm),
        1 => changed_range(random, wasm),
        2 => wasm[..random.below(wasm.len() + 1)].to_vec(),
        3 => sections_of(&wasm).map_or(wasm, |sections| changed_sections(random, sections).bytes()),
        4 => with_custom(random, &wasm),
        5 => with_a_section_of_another(random, wasm),
        // What is inside a core module most often stays a component, and so comes furthest.
        6 => in_core(random, wasm, changed_sections),
        _ => in_core(random, wasm, changed_code),
    }
}

fn changed_bytes(random: &mut Random, mut wasm: Vec<u8>) -> Vec<u8> {
    for _ in 0..random.between(1, 8) {
        if wasm.is_empty() {
            break;
        }
        let at = random.below(wasm.len());
        wasm[at] = match random.below(3) {
            0 => random.byte(),
            1 => wasm[at] ^ (1 << random.below(8)),
            _ => random.one(&[0, 0x7f, 0x80, 0xff]),
        };
    }
    wasm
}

fn changed_range(random: &mut Random, wasm: Vec<u8>) -> Vec<u8> {
    let from = random.below(wasm.len() + 1);
    let to = (from + random.below(64)).min(wasm.len());
    let (head, middle, tail) = (&wasm[..from], &wasm[from..to], &wasm[to..]);
    match random.below(3) {
        0 => [head, tail].concat(),
        1 => [head, middle, middle, tail].concat(),
        _ => [head, &random.bytes(to - from), tail].concat(),
    }
}

fn with_custom(random: &mut Random, wasm: &[u8]) -> Vec<u8> {
    let name = random.one(&["name", "producers", "component-name", "component-type", "iog", "\u{202e}"]);
    let length = random.one(&[0, 1, 40, 5_000]);
    let body = [&[u8::try_from(name.len()).unwrap()], name.as_bytes(), &random.bytes(length)].concat();
    let section = Section { id: CUSTOM, body };
    [wasm, &section.bytes()].concat()
}

fn with_a_section_of_another(random: &mut Random, wasm: Vec<u8>) -> Vec<u8> {
    let (other, _) = random.one(&OURS);
    let (Some(mut ours), Some(theirs)) = (sections_of(&wasm), sections_of(other)) else { return wasm };
    if ours.sections.is_empty() || theirs.sections.is_empty() {
        return wasm;
    }
    let (at, from) = (random.below(ours.sections.len()), random.below(theirs.sections.len()));
    ours.sections[at] = theirs.sections[from].clone();
    ours.bytes()
}

/// Changes a core module of the component, and puts it back with its new length.
fn in_core(random: &mut Random, wasm: Vec<u8>, change: fn(&mut Random, Sections) -> Sections) -> Vec<u8> {
    let Some(mut component) = sections_of(&wasm) else { return wasm };
    let cores: Vec<usize> =
        (0..component.sections.len()).filter(|at| component.sections[*at].id == CORE_MODULE).collect();
    if cores.is_empty() {
        return wasm;
    }
    let core = &mut component.sections[random.one(&cores)];
    if let Some(inner) = sections_of(&core.body) {
        core.body = change(random, inner).bytes();
    }
    component.bytes()
}

fn changed_sections(random: &mut Random, mut all: Sections) -> Sections {
    let count = all.sections.len();
    if count == 0 {
        return all;
    }
    let (one, other) = (random.below(count), random.below(count));
    match random.below(4) {
        0 => all.sections.swap(one, other),
        1 => drop(all.sections.remove(one)),
        2 => {
            let again = all.sections[one].clone();
            all.sections.insert(other, again);
        }
        _ => all.sections[one].body = changed_bytes(random, std::mem::take(&mut all.sections[one].body)),
    }
    all
}

/// One small number of the code changed a little, which is most often a constant, an index or another operator of its kind.
fn changed_code(random: &mut Random, mut all: Sections) -> Sections {
    for section in &mut all.sections {
        if section.id == CODE && !section.body.is_empty() {
            let at = random.below(section.body.len());
            section.body[at] ^= random.one(&[1, 1, 2, 4]);
        }
    }
    all
}

/// A component or a core module as its sections; what is in them is not read.
struct Sections {
    head: Vec<u8>,
    sections: Vec<Section>,
}

#[derive(Clone)]
struct Section {
    id: u8,
    body: Vec<u8>,
}

impl Section {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![self.id];
        let mut left = self.body.len();
        while left >= 0x80 {
            bytes.push(0x80 | u8::try_from(left & 0x7f).unwrap());
            left >>= 7;
        }
        bytes.push(u8::try_from(left).unwrap());
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

impl Sections {
    fn bytes(&self) -> Vec<u8> {
        self.sections.iter().fold(self.head.clone(), |mut bytes, section| {
            bytes.extend(section.bytes());
            bytes
        })
    }
}

/// The sections of a file that is still cut into such.
fn sections_of(wasm: &[u8]) -> Option<Sections> {
    let (head, mut rest) = wasm.split_at_checked(8)?;
    let mut sections = Vec::new();
    while let Some((id, after)) = rest.split_first() {
        let (length, after) = number(after)?;
        let (body, after) = after.split_at_checked(length)?;
        sections.push(Section { id: *id, body: body.to_vec() });
        rest = after;
    }
    Some(Sections { head: head.to_vec(), sections })
}

/// An unsigned number in LEB128, and what follows it.
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0;
    for (at, byte) in bytes.iter().enumerate().take(5) {
        value |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[at + 1..]));
        }
    }
    None
}
