"""The page as a public server: access, queues, sessions, uploads, storage, and delivery."""
