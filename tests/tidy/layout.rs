//! One way to lay out modules: the file of a module that has files of its own is the `mod.rs` (or, for a target, the
//! `main.rs`) of their folder, so that whoever moves the folder moves all of it.

#[test]
fn no_file_stands_beside_a_folder_of_its_name() {
    let beside: Vec<_> = crate::files(&["rs"])
        .into_iter()
        .filter(|path| path.with_extension("").is_dir())
        .map(|path| crate::shown(&path))
        .collect();
    assert!(beside.is_empty(), "move each into its folder, as `mod.rs`: {beside:#?}");
}
