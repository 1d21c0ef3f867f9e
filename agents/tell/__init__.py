"""How people and tools are told: each way of speaking, who is told what, and what they answer."""
