# SPDX-License-Identifier: Apache-2.0
"""What the experiments have in common: options, a directory of their own, and the end. Each has run(), close() and
`accusations`, what it found wrong."""
import argparse
import os
import random
import shutil
import sys
import tempfile


def options(parser, seed_help):
    """Adds the options that every experiment has, and reads the command line."""
    parser.add_argument("--seed", default=str(random.randrange(1 << 32)), help=seed_help)
    parser.add_argument("--keep", action="store_true", help="keep the directory with the daemon's log")
    parser.add_argument("--bin", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--kernel", default="", help=argparse.SUPPRESS)
    parser.add_argument("--initrd", default="", help=argparse.SUPPRESS)
    return parser.parse_args()


def conduct(kind, arguments, parent=None):
    """Runs one in a directory below `parent`, and ends the program with 1 when something was wrong."""
    root = tempfile.mkdtemp(prefix="vcd-%s-" % kind.__name__.lower(), dir=parent)
    # QEMU is another user.
    os.chmod(root, 0o755)
    experiment = kind(arguments, root)
    try:
        experiment.run()
    finally:
        experiment.close()
    if experiment.accusations or arguments.keep:
        print("the daemon's log: %s/vcd.log" % root)
    else:
        shutil.rmtree(root)
    sys.exit(1 if experiment.accusations else 0)
