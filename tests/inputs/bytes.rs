//! Files written byte by byte, where text would be too slow or would not be taken: a million of something, names of any bytes.

/// An unsigned number as WebAssembly writes it.
pub(crate) fn number(mut n: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let seven = u8::try_from(n & 0x7f).expect("seven bits");
        n >>= 7;
        if n == 0 {
            bytes.push(seven);
            return bytes;
        }
        bytes.push(seven | 0x80);
    }
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id], &number(content.len())[..], content].concat()
}

/// A section of `count` times the same item.
fn of(id: u8, count: usize, item: &[u8]) -> Vec<u8> {
    section(id, &[number(count), item.repeat(count)].concat())
}

/// A component whose one core module has these sections.
fn around(sections: &[Vec<u8>]) -> Vec<u8> {
    let core = [&b"\0asm\x01\0\0\0"[..], &sections.concat()].concat();
    outer(&[section(1, &core)])
}

/// A component of these sections.
fn outer(sections: &[Vec<u8>]) -> Vec<u8> {
    [&b"\0asm\x0d\0\x01\0"[..], &sections.concat()].concat()
}

/// The one type of functions without parameters and results.
fn plain_type() -> Vec<u8> {
    of(1, 1, &[0x60, 0, 0])
}

pub(crate) fn types(count: usize) -> Vec<u8> {
    around(&[of(1, count, &[0x60, 0, 0])])
}

pub(crate) fn functions(count: usize) -> Vec<u8> {
    around(&[plain_type(), of(3, count, &[0]), of(10, count, &[2, 0, 0x0b])])
}

pub(crate) fn globals(count: usize) -> Vec<u8> {
    around(&[of(6, count, &[0x7f, 0, 0x41, 0, 0x0b])])
}

/// Exports of one function under `count` names of four signs.
pub(crate) fn exports(count: usize) -> Vec<u8> {
    const SIGNS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut items = number(count);
    for n in 0..count {
        let sign = |place: u32| SIGNS[n / SIGNS.len().pow(place) % SIGNS.len()];
        items.extend([4, sign(0), sign(1), sign(2), sign(3), 0, 0]);
    }
    around(&[plain_type(), of(3, 1, &[0]), section(7, &items), of(10, 1, &[2, 0, 0x0b])])
}

pub(crate) fn data_segments(count: usize) -> Vec<u8> {
    around(&[of(11, count, &[1, 0])])
}

/// One function with so many locals of one type and this code.
pub(crate) fn function(locals: usize, code: &[u8]) -> Vec<u8> {
    let locals = if locals == 0 { vec![0] } else { [&[1], &number(locals)[..], &[0x7f]].concat() };
    let body = [&locals[..], code, &[0x0b]].concat();
    let entry = [number(body.len()), body].concat();
    around(&[plain_type(), of(3, 1, &[0]), section(10, &[number(1), entry].concat())])
}

/// A list of a list of a list, `levels` deep.
pub(crate) fn nested_lists(levels: usize) -> Vec<u8> {
    let mut items = [&number(levels)[..], &[0x70, 0x7d]].concat();
    for level in 1..levels {
        items.push(0x70);
        items.extend(number(level - 1));
    }
    outer(&[section(7, &items)])
}

/// The same file with a custom section behind it.
pub(crate) fn with_custom(wasm: &[u8], name: &str, content: &[u8]) -> Vec<u8> {
    let content = [&number(name.len())[..], name.as_bytes(), content].concat();
    [wasm, &section(0, &content)].concat()
}

/// The same file with other bytes in the place of the only such ones; as many, so that it stays as it is otherwise.
pub(crate) fn replaced(wasm: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let at = wasm.windows(from.len()).position(|window| window == from).expect("it is there");
    [&wasm[..at], to, &wasm[at + to.len()..]].concat()
}
