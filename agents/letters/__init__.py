"""Dead letters as people handle them: `reading` lists what is kept, `retrying` puts records back."""
