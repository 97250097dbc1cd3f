//! A described net as text and as data: torchsummary's table, torchinfo's tree, PyTorch's `print(model)`, JSON.
