"""What the Python suites share: processes, ports, a byte-exact client, a scripted upstream, a bootstrap builder."""
