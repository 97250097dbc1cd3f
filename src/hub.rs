//! Files of the Hugging Face hub, by the cache that Python's `huggingface_hub` shares.
