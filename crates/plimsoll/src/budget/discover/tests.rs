//! Layouts of real systems, as their files read.

use std::collections::HashMap;

use super::{ExplicitLimit, LimitSource, SystemFiles, discover};

const MIB: u64 = 1 << 20;

/// Files by path.
struct Files(HashMap<String, String>);

impl Files {
    fn new(files: &[(&str, &str)]) -> Self {
        let owned = |(path, text): &(&str, &str)| (path.to_string(), text.to_string());
        Self(files.iter().map(owned).collect())
    }
}

impl SystemFiles for Files {
    fn read(&self, path: &str) -> Option<String> {
        self.0.get(path).cloned()
    }
}

const RAM_23_GIB: (&str, &str) =
    ("/proc/meminfo", "MemTotal:       24117248 kB\nMemFree:         1024 kB\n");
const V2_MOUNT: &str =
    "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
const V1_MOUNT: &str = "33 30 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n\
     34 30 0:30 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n";

/// What a layout is expected to give.
struct Case {
    name: &'static str,
    files: &'static [(&'static str, &'static str)],
    printed: &'static str,
}

const V2_CASES: &[Case] = &[
    Case {
        name: "version 2, the group's own limit",
        files: &[
            ("/proc/self/cgroup", "0::/user/app\n"),
            ("/proc/self/mountinfo", V2_MOUNT),
            ("/sys/fs/cgroup/user/app/memory.max", "67108864\n"),
            ("/sys/fs/cgroup/user/memory.max", "max\n"),
        ],
        printed: "64 MiB from cgroup v2 /user/app (memory.max)",
    },
    Case {
        name: "version 2, an ancestor is tighter",
        files: &[
            ("/proc/self/cgroup", "0::/user/app/worker\n"),
            ("/proc/self/mountinfo", V2_MOUNT),
            ("/sys/fs/cgroup/user/app/worker/memory.max", "268435456\n"),
            ("/sys/fs/cgroup/user/app/memory.max", "max\n"),
            ("/sys/fs/cgroup/user/memory.max", "134217728\n"),
        ],
        printed: "128 MiB from cgroup v2 /user (memory.max)",
    },
    Case {
        name: "version 2, everything is max",
        files: &[
            ("/proc/self/cgroup", "0::/\n"),
            ("/proc/self/mountinfo", V2_MOUNT),
            ("/sys/fs/cgroup/memory.max", "max\n"),
        ],
        printed: "512 MiB from 70 % of 23 GiB RAM, capped at 512 MiB",
    },
    Case {
        name: "a container with a namespace of its own sees only its root",
        files: &[
            ("/proc/self/cgroup", "0::/\n"),
            ("/proc/self/mountinfo", V2_MOUNT),
            ("/sys/fs/cgroup/memory.max", "67108864\n"),
        ],
        printed: "64 MiB from cgroup v2 / (memory.max)",
    },
    Case {
        name: "the mount shows a subtree",
        files: &[
            ("/proc/self/cgroup", "0::/docker/ab/inner\n"),
            ("/proc/self/mountinfo", "30 23 0:26 /docker/ab /cg ro - cgroup2 cgroup2 ro\n"),
            ("/cg/inner/memory.max", "max\n"),
            ("/cg/memory.max", "67108864\n"),
        ],
        printed: "64 MiB from cgroup v2 / (memory.max)",
    },
    Case {
        name: "the mount's root only begins like the group",
        files: &[
            ("/proc/self/cgroup", "0::/docker/abc\n"),
            ("/proc/self/mountinfo", "30 23 0:26 /docker/ab /cg ro - cgroup2 cgroup2 ro\n"),
            ("/cg/c/memory.max", "1048576\n"),
            ("/cg/memory.max", "67108864\n"),
        ],
        printed: "64 MiB from cgroup v2 / (memory.max)",
    },
    Case {
        name: "the process was moved out of the namespace",
        files: &[
            ("/proc/self/cgroup", "0::/../other\n"),
            ("/proc/self/mountinfo", V2_MOUNT),
            ("/sys/fs/cgroup/../other/memory.max", "1048576\n"),
            ("/sys/fs/cgroup/memory.max", "67108864\n"),
        ],
        printed: "64 MiB from cgroup v2 / (memory.max)",
    },
    Case {
        name: "of two mounts the one that shows more ancestors counts",
        files: &[
            ("/proc/self/cgroup", "0::/a/b\n"),
            (
                "/proc/self/mountinfo",
                "30 23 0:26 /a/b /narrow rw - cgroup2 cgroup2 rw\n\
                 31 23 0:26 / /wide rw - cgroup2 cgroup2 rw\n",
            ),
            ("/narrow/memory.max", "268435456\n"),
            ("/wide/a/b/memory.max", "268435456\n"),
            ("/wide/a/memory.max", "67108864\n"),
        ],
        printed: "64 MiB from cgroup v2 /a (memory.max)",
    },
    Case {
        name: "mount point and group with spaces and colons",
        files: &[
            ("/proc/self/cgroup", "0::/my app:1\n"),
            ("/proc/self/mountinfo", "30 23 0:26 / /mnt/c\\040g\\134x rw - cgroup2 none rw\n"),
            ("/mnt/c g\\x/my app:1/memory.max", "67108864\n"),
        ],
        printed: "64 MiB from cgroup v2 /my app:1 (memory.max)",
    },
    Case {
        name: "the group was removed below its process",
        files: &[
            ("/proc/self/cgroup", "0::/a/gone (deleted)\n"),
            ("/proc/self/mountinfo", V2_MOUNT),
            ("/sys/fs/cgroup/a/memory.max", "67108864\n"),
        ],
        printed: "64 MiB from cgroup v2 /a (memory.max)",
    },
];

const V1_CASES: &[Case] = &[
    Case {
        name: "version 1, an ancestor is tighter",
        files: &[
            ("/proc/self/cgroup", "9:cpu,cpuacct:/x\n4:memory:/a/b\n"),
            ("/proc/self/mountinfo", V1_MOUNT),
            ("/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "9223372036854771712\n"),
            ("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "67108864\n"),
        ],
        printed: "64 MiB from cgroup v1 /a (memory.limit_in_bytes)",
    },
    Case {
        name: "version 1, the number that means none",
        files: &[
            ("/proc/self/cgroup", "4:memory:/\n"),
            ("/proc/self/mountinfo", V1_MOUNT),
            ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
        ],
        printed: "512 MiB from 70 % of 23 GiB RAM, capped at 512 MiB",
    },
    Case {
        name: "version 1, an ancestor out of sight",
        files: &[
            ("/proc/self/cgroup", "4:memory:/docker/ab\n"),
            (
                "/proc/self/mountinfo",
                "34 30 0:30 /docker/ab /sys/fs/cgroup/memory ro - cgroup cgroup ro,memory\n",
            ),
            ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "134217728\n"),
            (
                "/sys/fs/cgroup/memory/memory.stat",
                "cache 0\nhierarchical_memory_limit 67108864\nrss 1\n",
            ),
        ],
        printed: "64 MiB from cgroup v1 / (memory.stat hierarchical_memory_limit)",
    },
    Case {
        name: "both versions: memory is limited by version 1",
        files: &[
            ("/proc/self/cgroup", "4:memory:/a/b\n1:name=systemd:/u\n0::/u\n"),
            (
                "/proc/self/mountinfo",
                "34 30 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                 35 30 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
            ),
            ("/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "67108864\n"),
        ],
        printed: "64 MiB from cgroup v1 /a/b (memory.limit_in_bytes)",
    },
];

const OTHER_CASES: &[Case] = &[
    Case {
        name: "no control groups at all",
        files: &[],
        printed: "512 MiB from 70 % of 23 GiB RAM, capped at 512 MiB",
    },
    Case {
        name: "files that make no sense set no limit",
        files: &[
            ("/proc/self/cgroup", "\nx\n0:\n4:memory\n0::/a\n"),
            (
                "/proc/self/mountinfo",
                "\n - \n1 2 - cgroup2\n - cgroup2 a b\n30 23 0:26 / /cg rw - cgroup2 cgroup2 rw\n",
            ),
            ("/cg/a/memory.max", "-1\n"),
            ("/cg/memory.max", "64M\n"),
        ],
        printed: "512 MiB from 70 % of 23 GiB RAM, capped at 512 MiB",
    },
];

#[test]
fn the_tightest_group_of_each_layout_is_found() {
    for case in V2_CASES.iter().chain(V1_CASES).chain(OTHER_CASES) {
        let mut files = Files::new(case.files);
        files.0.insert(RAM_23_GIB.0.into(), RAM_23_GIB.1.into());
        let limit = discover(&files, None, None).unwrap();
        assert_eq!(limit.to_string(), case.printed, "{}", case.name);
    }
}

fn flag(bytes: u64) -> ExplicitLimit {
    ExplicitLimit { bytes, origin: "--memory-limit".to_string() }
}

#[test]
fn a_set_limit_above_the_groups_is_cut_and_says_so() {
    let files = Files::new(&[
        ("/proc/self/cgroup", "0::/a\n"),
        ("/proc/self/mountinfo", V2_MOUNT),
        ("/sys/fs/cgroup/a/memory.max", "67108864\n"),
        RAM_23_GIB,
    ]);
    for (asked, printed) in [
        (
            256 * MIB,
            "64 MiB from cgroup v2 /a (memory.max), which is tighter than the 256 MiB of \
             --memory-limit",
        ),
        (64 * MIB, "64 MiB from --memory-limit"),
        (32 * MIB, "32 MiB from --memory-limit"),
    ] {
        let limit = discover(&files, Some(flag(asked)), None).unwrap();
        assert_eq!(limit.to_string(), printed);
        assert_eq!(limit.bytes, asked.min(64 * MIB));
        assert_eq!(limit.cut.is_some(), asked > 64 * MIB);
    }
}

#[test]
fn a_set_limit_may_exceed_the_share_of_ram_but_not_the_address_space() {
    let files = Files::new(&[RAM_23_GIB]);
    let limit = discover(&files, Some(flag(2048 * MIB)), None).unwrap();
    assert_eq!(limit.to_string(), "2 GiB from --memory-limit");
    let limit = discover(&files, Some(flag(2048 * MIB)), Some(1024 * MIB)).unwrap();
    assert_eq!(
        limit.to_string(),
        "1 GiB from RLIMIT_AS, which is tighter than the 2 GiB of --memory-limit"
    );
}

#[test]
fn a_small_machine_gives_70_percent_of_what_it_has() {
    let files = Files::new(&[("/proc/meminfo", "MemTotal: 524288 kB\n")]);
    let limit = discover(&files, None, None).unwrap();
    assert_eq!(limit.bytes, (512 * MIB) / 100 * 70);
    assert_eq!(limit.to_string(), "358.4 MiB from 70 % of 512 MiB RAM");
    let limit = discover(&files, None, Some(128 * MIB)).unwrap();
    assert_eq!(limit.source, LimitSource::AddressSpace);
}

#[test]
fn a_system_that_says_nothing_asks_for_a_limit() {
    let error = discover(&Files::new(&[]), None, None).unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::Invalid);
    assert!(error.to_string().contains("set one, such as 256M"));
    let limit = discover(&Files::new(&[]), Some(flag(64 * MIB)), None).unwrap();
    assert_eq!(limit.bytes, 64 * MIB);
}
