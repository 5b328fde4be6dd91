//! The tree against the recursive definitions of RFC 6962 section 2.1, exhaustively for small sizes, and tiles against it.

use iog_tlog::{
    BundleId, Hash, ProofError, TileId, Tree, TreeError, empty_root, leaf_hash, node_hash, tiles_for,
    verify_consistency, verify_inclusion,
};

const SIZE_MAX: u64 = 40;

fn leaves(size: u64) -> Vec<Hash> {
    (0..size).map(|i| leaf_hash(&i.to_be_bytes())).collect()
}

/// MTH of RFC 6962 section 2.1, by its definition.
fn root_of(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&root_of(left), &root_of(right))
        }
    }
}

/// PATH of RFC 6962 section 2.1.1.
fn path_of(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let cut = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(cut);
    let (mut path, sibling) =
        if index < cut { (path_of(index, left), right) } else { (path_of(index - cut, right), left) };
    path.push(root_of(sibling));
    path
}

/// SUBPROOF of RFC 6962 section 2.1.2.
fn subproof(old: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if whole { Vec::new() } else { vec![root_of(leaves)] };
    }
    let cut = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(cut);
    let (mut path, sibling) =
        if old <= cut { (subproof(old, left, whole), right) } else { (subproof(old - cut, right, false), left) };
    path.push(root_of(sibling));
    path
}

#[test]
fn roots_and_proofs_follow_the_definitions() {
    let all = leaves(SIZE_MAX);
    let tree = Tree::from_leaves(all.iter().copied());
    assert_eq!((tree.len(), tree.is_empty(), Tree::new().root()), (SIZE_MAX, false, empty_root()));
    for size in 0..=all.len() {
        let root = root_of(&all[..size]);
        assert_eq!(tree.root_at(size as u64).unwrap(), root);
        assert_eq!(Tree::from_leaves(all[..size].iter().copied()).root(), root);
        for index in 0..size {
            let path = tree.inclusion(index as u64, size as u64).unwrap();
            assert_eq!(path, path_of(index, &all[..size]));
            verify_inclusion(&all[index], index as u64, size as u64, &path, &root).unwrap();
        }
        for old in 0..=size {
            let path = tree.consistency(old as u64, size as u64).unwrap();
            if old > 0 {
                assert_eq!(path, subproof(old, &all[..size], true));
            }
            verify_consistency(old as u64, &root_of(&all[..old]), size as u64, &root, &path).unwrap();
        }
    }
}

#[test]
fn every_wrong_inclusion_claim_is_refused() {
    let tree = Tree::from_leaves(leaves(SIZE_MAX));
    for size in 1..=SIZE_MAX {
        let root = tree.root_at(size).unwrap();
        for index in 0..size {
            let path = tree.inclusion(index, size).unwrap();
            let leaf = tree.leaf(index).unwrap();
            for wrong in (0..size + 2).filter(|wrong| *wrong != index) {
                verify_inclusion(&leaf, wrong, size, &path, &root).unwrap_err();
            }
            for (at, _) in path.iter().enumerate() {
                let mut changed = path.clone();
                changed[at].0[at % 32] ^= 1;
                assert_eq!(verify_inclusion(&leaf, index, size, &changed, &root), Err(ProofError::Root));
                changed.remove(at);
                verify_inclusion(&leaf, index, size, &changed, &root).unwrap_err();
            }
            let mut longer = path.clone();
            longer.push(root);
            assert_eq!(verify_inclusion(&leaf, index, size, &longer, &root), Err(ProofError::Length(longer.len())));
            let other = leaf_hash(b"other");
            assert_eq!(verify_inclusion(&other, index, size, &path, &root), Err(ProofError::Root));
        }
    }
}

#[test]
fn every_fork_is_refused() {
    let tree = Tree::from_leaves(leaves(SIZE_MAX));
    for new in 1..=SIZE_MAX {
        let root = tree.root_at(new).unwrap();
        for old in 1..=new {
            let old_root = tree.root_at(old).unwrap();
            let path = tree.consistency(old, new).unwrap();
            let forked = leaf_hash(b"fork");
            verify_consistency(old, &forked, new, &root, &path).unwrap_err();
            verify_consistency(old, &old_root, new, &forked, &path).unwrap_err();
            let mut longer = path.clone();
            longer.push(root);
            verify_consistency(old, &old_root, new, &root, &longer).unwrap_err();
            for at in 0..path.len() {
                let mut changed = path.clone();
                changed[at].0[31] ^= 0x80;
                verify_consistency(old, &old_root, new, &root, &changed).unwrap_err();
                changed.remove(at);
                verify_consistency(old, &old_root, new, &root, &changed).unwrap_err();
            }
        }
    }
}

#[test]
fn a_truncated_tree_is_as_if_it_never_grew() {
    let all = leaves(SIZE_MAX);
    for keep in 0..=all.len() {
        let mut tree = Tree::from_leaves(all.iter().copied());
        tree.truncate(keep as u64);
        assert_eq!((tree.len(), tree.root()), (keep as u64, root_of(&all[..keep])));
        tree.extend(all[keep..].iter().copied());
        assert_eq!(tree.root(), root_of(&all));
    }
    let mut tree = Tree::new();
    tree.truncate(5);
    assert!(tree.is_empty());
}

#[test]
fn trivial_consistency_is_strict() {
    let tree = Tree::from_leaves(leaves(3));
    let (root, empty) = (tree.root(), empty_root());
    verify_consistency(0, &empty, 3, &root, &[]).unwrap();
    assert_eq!(verify_consistency(0, &root, 3, &root, &[]), Err(ProofError::Root));
    assert_eq!(verify_consistency(0, &root, 0, &root, &[]), Err(ProofError::Root));
    assert_eq!(verify_consistency(0, &empty, 3, &root, &[root]), Err(ProofError::Length(1)));
    assert_eq!(verify_consistency(3, &root, 3, &empty, &[]), Err(ProofError::Root));
    assert_eq!(verify_consistency(3, &root, 2, &root, &[]), Err(ProofError::Shrunk { old: 3, new: 2 }));
    assert_eq!(verify_consistency(3, &root, 5, &root, &[]), Err(ProofError::Length(0)));
}

#[test]
fn questions_beyond_the_tree_are_refused() {
    let tree = Tree::from_leaves(leaves(3));
    assert_eq!(tree.root_at(4), Err(TreeError::TooSmall { len: 3, size: 4 }));
    assert_eq!(tree.inclusion(3, 3), Err(TreeError::NoSuchLeaf { index: 3, size: 3 }));
    assert_eq!(tree.inclusion(0, 0), Err(TreeError::NoSuchLeaf { index: 0, size: 0 }));
    assert_eq!(tree.consistency(3, 2), Err(TreeError::Backwards { old: 3, new: 2 }));
    assert_eq!(tree.leaf(2), Some(leaves(3)[2]));
    assert_eq!(tree.leaf(3), None);
}

#[test]
fn verification_survives_the_largest_sizes() {
    let hash = leaf_hash(b"");
    for size in [u64::MAX, u64::MAX - 1, 1 << 63] {
        for len in 0..70 {
            verify_inclusion(&hash, size - 1, size, &vec![hash; len], &hash).unwrap_err();
            verify_inclusion(&hash, 0, size, &vec![hash; len], &hash).unwrap_err();
            verify_consistency(size - 1, &hash, size, &hash, &vec![hash; len]).unwrap_err();
            verify_consistency(1 << 62, &hash, size, &hash, &vec![hash; len]).unwrap_err();
        }
    }
}

#[test]
fn tiles_of_a_large_tree() {
    let size = 70_000;
    let tree = Tree::from_leaves(leaves(size));
    let tiles: Vec<TileId> = tiles_for(size).collect();
    let level = |level| tiles.iter().filter(move |tile| tile.level() == level);
    assert_eq!((level(0).count(), level(1).count(), level(2).count(), tiles.len()), (274, 2, 1, 277));
    assert_eq!(level(0).next_back().unwrap().path(), "tile/0/273.p/112");
    assert_eq!(level(1).next_back().unwrap().path(), "tile/1/001.p/17");
    assert_eq!(level(2).next_back().unwrap().path(), "tile/2/000.p/1");
    let first = leaves(256);
    assert_eq!(tree.tile(TileId::new(1, 0, 1).unwrap()).unwrap(), root_of(&first).0);
    for tile in &tiles {
        assert_eq!(tree.tile(*tile).unwrap().len(), tile.byte_len());
        assert_eq!(TileId::parse(&tile.path()).unwrap(), *tile);
    }
    assert_eq!(tree.tile(TileId::new(0, 273, 113).unwrap()), None);
    assert_eq!(tree.tile(TileId::new(3, 0, 1).unwrap()), None);
    assert_eq!(BundleId::all_for(size).last().unwrap().path(), "tile/entries/273.p/112");
    assert_eq!(tiles_for(0).count() + BundleId::all_for(0).count(), 0);
}

#[test]
fn only_the_canonical_tile_path_is_read() {
    assert_eq!(TileId::new(0, 1_234_067, 256).unwrap().path(), "tile/0/x001/x234/067");
    for path in [
        "tile/0/5",
        "tile/00/005",
        "tile/0/0005",
        "tile/0/x000/005",
        "tile/0/x001/x234/67",
        "tile/0/001/234",
        "tile/0/005.p/256",
        "tile/0/005.p/0",
        "tile/0/005.p/05",
        "tile/8/000",
        "tile/7/001",
        "tile/0/+05",
        "tile/0/-05",
        "/tile/0/005",
        "tile/0/005/",
        "tile/0/",
        "tile/x/005",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
        "tile/0/../005",
        "tile/0/005.p/",
        "tile/entries/005",
    ] {
        assert!(TileId::parse(path).is_err(), "{path}");
    }
    for path in ["tile/entries/5", "tile/entries/000.p/256", "tile/0/000", "entries/000", "tile/entries/000.p/-1"] {
        assert!(BundleId::parse(path).is_err(), "{path}");
    }
}
