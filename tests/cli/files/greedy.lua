return {model = ("x"):rep(2000000000)}
