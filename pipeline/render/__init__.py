"""What a message says (`story`), in which words (`words`), and how it looks (`slack`, `console`)."""
