//! Own data that are damaged, strange or made to do harm: a clear error or a documented skip.

use image::ExtendedColorType;

use crate::own_data::{PIPELINE, names, npy, pixels, png, run, write_classes, zip};
use crate::project::Project;

/// A folder of three classes with 8 gray images of 12x12 each.
fn folder() -> Project {
    let project = Project::empty();
    write_classes(&project, "set", &names(3), 0..8, 12, 1);
    project
}

/// A PNG whose header claims another size than its content has.
fn claiming(side: u32) -> Vec<u8> {
    let mut bytes = png(&[0], 1, 1, ExtendedColorType::L8);
    bytes[16..20].copy_from_slice(&side.to_be_bytes());
    bytes[20..24].copy_from_slice(&side.to_be_bytes());
    let mut crc = flate2::Crc::new();
    crc.update(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    bytes
}

#[test]
fn a_file_that_is_no_image_is_named_and_left_out_if_asked() {
    let mut broken = png(&pixels(0, 0, 12, 1), 12, 12, ExtendedColorType::L8);
    let middle = broken.len() / 2;
    broken[middle] ^= 0xff;
    let cases = [
        (broken, "damaged PNG"),
        (b"GIF89a".to_vec(), "neither a PNG nor a JPEG"),
        (Vec::new(), "an empty file"),
        (claiming(100_000), "100000 x 100000"),
    ];
    for (bytes, fragment) in cases {
        let project = folder();
        project.write("set/kind 001/bad.png", bytes);
        let failed = run(&project, PIPELINE, "set", &[]);
        failed.fails(1, &["bad.png", fragment, "unreadable = \"skip\"", "data show"]);
        let done = run(&project, PIPELINE, "set", &["--set", "data.unreadable=skip"]).ok();
        let warnings = done.stderr();
        assert!(warnings.contains("1 files cannot be read") && warnings.contains("bad.png"));
        assert_eq!(project.results("own")["dataset"]["n_test"], 5);
    }
}

#[test]
fn mixed_sizes_are_an_error_that_names_two_files_and_the_way_out() {
    let project = folder();
    project.write("set/kind 002/wide.png", png(&[7; 12 * 15], 15, 12, ExtendedColorType::L8));
    let fragments = ["kind 000/000.png", "12 x 12", "kind 002/wide.png", "12 x 15", "data.size="];
    run(&project, PIPELINE, "set", &[]).fails(1, &fragments);
    run(&project, PIPELINE, "set", &["--set", "data.size=[9,8]"]).ok();
    let shape = serde_json::json!({"height": 9, "width": 8, "channels": 1});
    assert_eq!(project.results("own")["dataset"]["shape"], shape);
    let wrong = run(&project, PIPELINE, "set", &["--set", "data.size=28"]);
    wrong.fails(2, &["[height, width]", "write `[28, 28]`"]);
}

#[test]
fn deep_and_palette_images_are_read_as_what_they_show() {
    let project = folder();
    let deep: Vec<u8> =
        pixels(0, 50, 12, 1).iter().flat_map(|&v| (u16::from(v) * 257).to_ne_bytes()).collect();
    project.write("set/kind 000/deep.png", png(&deep, 12, 12, ExtendedColorType::L16));
    let palette = include_bytes!("palette.png");
    project.write("set/kind 001/palette.png", palette);
    run(&project, PIPELINE, "set", &[]).ok();
    // The palette has colours, so all images are read with three channels.
    assert_eq!(project.results("own")["dataset"]["shape"]["channels"], 3);
    run(&project, PIPELINE, "set", &["--set", "data.channels=gray"]).ok();
    assert_eq!(project.results("own")["dataset"]["shape"]["channels"], 1);
}

#[test]
fn too_little_to_learn_from_is_said() {
    let project = folder();
    std::fs::create_dir(project.path("set/nothing")).unwrap();
    run(&project, PIPELINE, "set", &[]).fails(1, &["class folder", "nothing", "no PNG or JPEG"]);

    let project = Project::empty();
    write_classes(&project, "one", &names(1), 0..1, 12, 1);
    run(&project, PIPELINE, "one", &[]).fails(1, &["1 class", "at least 2"]);
    write_classes(&project, "two", &names(2), 0..1, 12, 1);
    run(&project, PIPELINE, "two", &[]).fails(1, &["no test image"]);

    write_classes(&project, "parts/train", &names(2), 0..6, 12, 1);
    write_classes(&project, "parts/test", &names(3), 7..9, 12, 1);
    let fragments = ["class `kind 002`", "2 test images", "none for training"];
    run(&project, PIPELINE, "parts", &[]).fails(1, &fragments);
    std::fs::remove_dir_all(project.path("parts/train")).unwrap();
    run(&project, PIPELINE, "parts", &[]).fails(1, &["no training image that can be used"]);
}

#[test]
fn what_is_no_data_set_is_said_with_what_would_be() {
    let project = Project::empty();
    project.write("notes.txt", "text");
    run(&project, PIPELINE, "notes.txt", &[]).fails(1, &["ends in `.txt`", "sub-folder", ".npz"]);
    run(&project, PIPELINE, "absent", &[]).fails(1, &["absent"]);
    std::fs::create_dir(project.path("empty")).unwrap();
    run(&project, PIPELINE, "empty", &["--dataset", "own"]).fails(1, &["an empty directory"]);
    run(&project, PIPELINE, "empty", &[]).fails(1, &["train-images-idx3-ubyte", "sub-folder"]);
    project.write("own.toml", PIPELINE);
    project.run(&["run", "./own.toml", "--dataset", "own"]).fails(1, &["--data PATH"]);
}

#[test]
fn archives_that_promise_or_hold_too_much_are_refused() {
    let labels = npy("|u1", "(4,)", &[0, 1, 0, 1]);
    let images = |shape: &str, n: usize| npy("|u1", shape, &vec![7; n]);
    let cases = [
        // 64 MiB of zeros behind what the header promises, and terabytes that it promises.
        (npy("|u1", "(4, 3, 3)", &vec![0; 64 << 20]), "goes on after"),
        (images("(4000000000, 1000, 1000)", 36), "free"),
        (images("(18446744073709551615, 2, 2)", 36), "no images'"),
        (images("(4, 3, 3)", 35), "ends before"),
        (images("(4, 3, 3, 2)", 72), "no images'"),
        (npy("|O", "(4, 3, 3)", &[0; 36]), "type `|O`"),
        (npy("<f8", "(4, 1, 1)", &[255; 32]), "is no pixel"),
        (b"PK no array".to_vec(), "no NumPy array"),
    ];
    for (bytes, fragment) in cases {
        let project = Project::empty();
        let members = [("images.npy", bytes), ("labels.npy", labels.clone())];
        project.write("set.npz", zip(&members));
        run(&project, PIPELINE, "set.npz", &[]).fails(1, &[fragment]);
    }
    let project = Project::empty();
    let whole = zip(&[("images.npy", images("(4, 3, 3)", 36)), ("labels.npy", labels)]);
    for n_kept in (0..whole.len()).step_by(17) {
        project.write("set.npz", &whole[..n_kept]);
        run(&project, PIPELINE, "set.npz", &[]).fails(1, &["set.npz"]);
    }
    project.write("set.npz", zip(&[("a.npy", images("(4, 3, 3)", 36))]));
    run(&project, PIPELINE, "set.npz", &[]).fails(1, &["it holds: a", "x_train"]);
}

#[cfg(unix)]
#[test]
fn names_that_are_no_text_are_classes_and_files_like_others() {
    use std::os::unix::ffi::OsStrExt;

    let project = folder();
    for name in [&b"caf\xe9"[..], b"caf\xe8"] {
        let folder = project.path("set").join(std::ffi::OsStr::from_bytes(name));
        std::fs::create_dir(&folder).unwrap();
        for nth in 0..5u8 {
            let image = png(&[nth * 20; 144], 12, 12, ExtendedColorType::L8);
            let file = [b"im\xff", &[b'0' + nth][..], b".png"].concat();
            std::fs::write(folder.join(std::ffi::OsStr::from_bytes(&file)), image).unwrap();
        }
    }
    run(&project, PIPELINE, "set", &[]).ok();
    let names = project.results("own")["dataset"]["class_names"].clone();
    assert_eq!(names.as_array().unwrap().len(), 5, "{names}");
    assert_ne!(names[0], names[1]);
}

#[cfg(unix)]
#[test]
fn links_in_a_circle_end_and_pipes_are_not_opened() {
    use std::os::unix::fs::symlink;

    let project = folder();
    symlink(project.path("set"), project.path("set/round")).unwrap();
    run(&project, PIPELINE, "set", &[]).fails(1, &["round", "symbolic link", "remove the link"]);
    std::fs::remove_file(project.path("set/round")).unwrap();

    // Deeper down a link to a folder is left out; one to itself is a file that cannot be read.
    symlink(project.path("set"), project.path("set/kind 000/up")).unwrap();
    let made =
        std::process::Command::new("mkfifo").arg(project.path("set/kind 001/p.png")).status();
    assert!(made.unwrap().success());
    run(&project, PIPELINE, "set", &[]).ok();
    symlink(project.path("set/kind 002/self.png"), project.path("set/kind 002/self.png")).unwrap();
    run(&project, PIPELINE, "set", &[]).fails(1, &["self.png"]);
    run(&project, PIPELINE, "set", &["--set", "data.unreadable=skip"]).ok();
}

#[cfg(unix)]
#[test]
fn a_folder_without_permission_is_named() {
    use std::os::unix::fs::PermissionsExt;

    let project = folder();
    let locked = project.path("set/locked");
    std::fs::create_dir(&locked).unwrap();
    std::fs::write(locked.join("1.png"), png(&[0; 144], 12, 12, ExtendedColorType::L8)).unwrap();
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::read_dir(&locked).is_ok() {
        eprintln!("skipped: this user may read everything");
        return;
    }
    run(&project, PIPELINE, "set", &[]).fails(1, &["locked", "ermission"]);
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o755)).unwrap();
}
