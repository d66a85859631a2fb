"""Where bytes come from and go to: files, pipes, devices and URLs, with their compression."""
